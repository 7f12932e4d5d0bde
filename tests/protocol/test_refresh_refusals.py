"""A refused refresh costs the session nothing (RFC 6749 section 6)."""

from uuid import uuid4

import pytest

from support.in_process_server import App, Running, shared_server
from support.responses import outcome

jeton = shared_server("alice")


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client(uuid4().hex)


async def log_in_and_refresh(jeton: Running, app: App) -> list[str]:
    """Return two refresh tokens of one session: a spent one, and the current one."""
    first = (await jeton.log_in(app))["refresh_token"]
    return [first, (await jeton.refreshed(app, first))["refresh_token"]]


@pytest.fixture
async def token(jeton: Running, app: App) -> str:
    return (await log_in_and_refresh(jeton, app))[1]


@pytest.mark.requirement("A03", "A16", "A38", "A41", "A46", "I08", "K02", "K04")
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
@pytest.mark.parametrize("presented", [0, 1], ids=["spent", "current"])
async def test_token_presented_by_another_client_is_neither_spent_nor_a_replay(
    jeton: Running, public: bool, presented: int
) -> None:
    app = jeton.add_client(uuid4().hex, public=public)
    tokens = await log_in_and_refresh(jeton, app)
    callers = [
        (jeton.add_client(uuid4().hex), (400, "invalid_grant")),
        (jeton.add_client(uuid4().hex, public=True), (400, "invalid_grant")),
        (App(app.client, "wrong"), (401, "invalid_client")),
        *([] if public else [(App(app.client, None), (401, "invalid_client"))]),
    ]

    for caller, expected in callers:
        assert outcome(await jeton.refresh(caller, tokens[presented])) == expected

    assert await jeton.refreshed(app, tokens[1])


@pytest.mark.requirement("A15", "A36", "A39", "A42", "A54")
async def test_wrong_request_consumes_nothing(jeton: Running, app: App, token: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    for keys in ([b""], [b"x" * 256], [b"tab\there"], [b"\xe9"], [b"one", b"two"]):
        headers = [(b"Idempotency-Key", it) for it in keys]
        response = await jeton.http.post("/oauth/token", data=form, headers=headers, auth=app.auth or ("", ""))
        assert outcome(response) == (400, "invalid_request"), keys
    assert outcome(await jeton.refresh(app, token, scope="read admin")) == (400, "invalid_scope")

    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A38", "A45", "A48")
async def test_altered_token_is_refused_and_costs_the_session_nothing(jeton: Running, app: App, token: str) -> None:
    other = await jeton.log_in(app)
    altered = {
        "one character changed": token[:50] + ("A" if token[50] != "A" else "B") + token[51:],
        "cut": token[:-1],
        "tag of another session": token[:40] + other["refresh_token"][40:],
        "an access token": other["access_token"],
        "not ASCII": token[:-1] + "é",
        "twenty thousand characters": "jrt_" + "A" * 20000,
    }

    answers = {name: outcome(await jeton.refresh(app, text)) for name, text in altered.items()}

    assert answers == dict.fromkeys(altered, (400, "invalid_grant"))
    assert await jeton.refreshed(app, token)
    assert await jeton.refreshed(app, other["refresh_token"])
