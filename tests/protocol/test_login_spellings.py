"""Which spellings of a name are the same at login (RFC 8265).

`rules/login_identifiers.py` decides it; here the login follows it.
"""

import pytest

from support.in_process_server import PASSWORD, App, Running
from support.responses import outcome


@pytest.fixture(scope="module")
def jeton(shared_jeton: Running) -> Running:
    shared_jeton.add_user("alice", email="Alice@example.com")
    return shared_jeton


@pytest.fixture(scope="module")
def app(jeton: Running) -> App:
    return jeton.add_client()


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        *(("ALICE", True), ("Alice\uff20EXAMPLE.com", True), ("al ice", False), ("alice\u200b", False)),
        *((it, True) for it in (" alice", "  alice   ", "alice\t", "\nalice\r\n")),
        *((it, True) for it in ("\u00a0Alice@Example.com", "\u2003Alice@Example.com\u2028")),
    ],
    ids=ascii,
)
async def test_users_log_in_by_any_spelling_of_their_name_or_address(
    jeton: Running, app: App, typed: str, found: bool
) -> None:
    response = await jeton.token(app, grant_type="password", username=typed, password=PASSWORD)

    assert outcome(response) == ((200, None) if found else (400, "invalid_grant"))
