"""Which spellings of a name or a password are the same at login (NIST SP 800-63B-4 section 3.1.1.2, RFC 8265).

`rules/login_identifiers.py` and `crypto/passwords.py` decide it. That the login follows them is tested once for each.
"""

import pytest

from jeton.rules.login_identifiers import login_key
from support.in_process_server import PASSWORD, App, Running
from support.responses import outcome


@pytest.fixture(scope="module")
def jeton(shared_jeton: Running) -> Running:
    shared_jeton.add_user("alice", email="Alice@example.com")
    return shared_jeton


@pytest.fixture(scope="module")
def app(jeton: Running) -> App:
    return jeton.add_client()


async def logs_in(jeton: Running, app: App, username: str, password: str = PASSWORD) -> bool:
    response = await jeton.token(app, grant_type="password", username=username, password=password)
    assert outcome(response) in [(200, None), (400, "invalid_grant")]
    return response.status_code == 200


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("registered", "typed", "same"),
    [
        ("Alice", "aLICE", True),
        ("alice", "\uff21\uff4c\uff49\uff43\uff45", True),
        ("rené", "rene\u0301", True),
        ("rene\u0301", "RENÉ", True),
        ("ångström", "\u212bngstro\u0308m", True),
        ("иван", "ИВАН", True),
        ("Alice@example.com", "alice\uff20EXAMPLE.com", True),
        ("alice", "al ice", False),
        ("alice", "alice\u200b", False),
        ("alice", "\ufeffalice", False),
        ("alice", "\u0430lice", False),
        ("rené", "rene", False),
        ("alice", "alice@example.com", False),
        ("five", "\ufb01ve", False),
        ("x2", "x\u00b2", False),
        ("alice", "\u00a0", False),
    ],
    ids=ascii,
)
def test_which_spellings_of_a_name_are_one_user(registered: str, typed: str, same: bool) -> None:
    assert login_key(registered) is not None
    assert (login_key(registered) == login_key(typed)) is same


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("typed", "found"),
    [("ALICE", True), ("Alice\uff20EXAMPLE.com", True), ("al ice", False), ("alice\u200b", False)],
    ids=ascii,
)
async def test_users_log_in_by_any_spelling_of_their_name_or_address(
    jeton: Running, app: App, typed: str, found: bool
) -> None:
    assert await logs_in(jeton, app, typed) is found


@pytest.mark.parametrize("name", ["alice", "Alice@Example.com"])
@pytest.mark.parametrize("ends", [" {}", "  {}   ", "{}\t", "\n{}\r\n", "\u00a0{}", "\u2003{}\u2028"], ids=ascii)
async def test_white_space_around_a_name_does_not_count(jeton: Running, app: App, name: str, ends: str) -> None:
    assert await logs_in(jeton, app, ends.format(name))
