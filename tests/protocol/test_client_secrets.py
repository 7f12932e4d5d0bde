"""Client secrets (RFC 6749 section 2.3.1): allowed methods, rotation with an overlap, and failures that look alike."""

from base64 import b64encode
from typing import Any

import httpx2
import pytest

from jeton.crypto.credentials import digest_secret
from support.in_process_server import START, Running
from support.responses import visible
from support.sessions import unique_name

BASIC, POST = "client_secret_basic", "client_secret_post"
GRANT = {"grant_type": "client_credentials"}
OLD, NEW = digest_secret("old"), digest_secret("new")


async def send(jeton: Running, method: str, client_id: str, secret: str) -> httpx2.Response:
    if method == POST:
        return await jeton.http.post("/oauth/token", data=GRANT | {"client_id": client_id, "client_secret": secret})
    header = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()
    return await jeton.http.post("/oauth/token", data=GRANT, headers={"Authorization": header})


@pytest.mark.requirement("A37", "A40", "N15")
@pytest.mark.parametrize(("method", "other"), [(BASIC, POST), (POST, BASIC)])
async def test_every_failure_has_the_same_response(jeton: Running, method: str, other: str) -> None:
    jeton.add_client("known")
    jeton.add_client("disabled", disabled=True, secret_digest=NEW)
    jeton.add_client("restricted", auth_methods=frozenset({other}), secret_digest=NEW)
    jeton.add_client("spa", public=True)
    jeton.add_client("secretless", secret_digest=None)

    answers = [
        await send(jeton, method, name, "new")
        for name in ("unknown", "known", "disabled", "restricted", "spa", "secretless", "x" * 129)
    ]

    assert len({repr(visible(it)) for it in answers}) == 1
    assert answers[0].status_code == 401


@pytest.mark.both_databases
@pytest.mark.requirement("A06", "A10", "K06")
async def test_client_may_use_only_its_own_methods(jeton: Running) -> None:
    for methods in (set(), {BASIC}, {POST}, {BASIC, POST}):
        app = jeton.add_client(unique_name(), auth_methods=frozenset(methods), secret_digest=NEW)
        for method in (BASIC, POST):
            status = (await send(jeton, method, app.client_id, "new")).status_code
            assert status == (200 if method in methods else 401)


@pytest.mark.both_databases
@pytest.mark.requirement("O14")
async def test_previous_secret_is_valid_until_its_overlap_ends(jeton: Running) -> None:
    for end, status in ((None, 401), (START - 1, 401), (START, 401), (START + 1, 200)):
        overlap: dict[str, Any] = {"previous_secret_digest": OLD, "previous_secret_expires_at": end}
        client_id = jeton.add_client(unique_name(), secret_digest=NEW, **overlap).client_id
        assert (await send(jeton, BASIC, client_id, "old")).status_code == status
        assert (await send(jeton, BASIC, client_id, "new")).status_code == 200
        assert (await send(jeton, BASIC, client_id, "older")).status_code == 401


@pytest.mark.requirement("A37")
async def test_empty_secret_is_not_counted_as_a_guess(jeton: Running) -> None:
    app = jeton.add_client()
    empty = [(await send(jeton, BASIC, it, "")).status_code for it in [app.client_id, "unknown"] * 60]

    assert empty == [401] * 120
