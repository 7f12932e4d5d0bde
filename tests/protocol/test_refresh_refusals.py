"""RFC 6749 section 6: who may not refresh, and that a refusal costs the session nothing."""

from base64 import b64encode
from typing import Any

import httpx2
import pytest

from jeton.storage.families import end_families
from jeton.storage.users import delete_user
from support.in_process_server import App, Running


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


@pytest.fixture
async def token(jeton: Running, app: App) -> str:
    """The refresh token of a session that has been refreshed once."""
    jeton.add_user()
    first = await jeton.log_in(app)
    return str((await jeton.refreshed(app, first["refresh_token"]))["refresh_token"])


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("error")


@pytest.mark.requirement("A38", "A41", "A46", "K04")
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_another_client_is_refused_and_consumes_nothing(
    jeton: Running, app: App, token: str, public: bool
) -> None:
    other = jeton.add_client("other", public=public)

    assert outcome(await jeton.refresh(other, token)) == (400, "invalid_grant")

    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A03", "A41", "A46", "K02")
async def test_a_public_client_may_not_use_another_public_client_s_token(jeton: Running) -> None:
    jeton.add_user()
    mine, other = jeton.add_client("mine", public=True), jeton.add_client("other", public=True)
    tokens = await jeton.log_in(mine)

    assert outcome(await jeton.refresh(other, tokens["refresh_token"])) == (400, "invalid_grant")

    assert await jeton.refreshed(mine, tokens["refresh_token"])


@pytest.mark.requirement("A46", "I08", "K04")
async def test_another_client_cannot_kill_a_session_by_a_spent_token(jeton: Running, app: App) -> None:
    jeton.add_user()
    other = jeton.add_client("other")
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    assert outcome(await jeton.refresh(other, first["refresh_token"])) == (400, "invalid_grant")

    assert await jeton.refreshed(app, second["refresh_token"])


@pytest.mark.requirement("A16", "A41", "K04")
@pytest.mark.parametrize("spent", [False, True], ids=["current", "spent"])
async def test_a_wrong_secret_consumes_nothing_and_kills_nothing(jeton: Running, app: App, spent: bool) -> None:
    jeton.add_user()
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])
    presented = (first if spent else second)["refresh_token"]

    assert outcome(await jeton.refresh(App(app.client, "wrong"), presented)) == (401, "invalid_client")
    assert outcome(await jeton.refresh(App(app.client, None), presented)) == (401, "invalid_client")

    assert await jeton.refreshed(app, second["refresh_token"])


@pytest.mark.requirement("A36", "A39", "A42")
@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        pytest.param({"scope": "read admin"}, "invalid_scope", id="scope too wide"),
        pytest.param({"scope": 'read"'}, "invalid_scope", id="scope malformed"),
        pytest.param({"scope": "read  write"}, "invalid_scope", id="two spaces"),
        pytest.param({"client_id": "other"}, "invalid_request", id="names another client"),
        pytest.param({"client_secret": "x"}, "invalid_request", id="authenticates twice"),
        pytest.param({"grant_type": "refresh-token"}, "unsupported_grant_type", id="grant misspelt"),
        pytest.param({"grant_type": ""}, "invalid_request", id="no grant"),
    ],
)
async def test_a_wrong_request_consumes_nothing(
    jeton: Running, app: App, token: str, parameters: dict[str, str], error: str
) -> None:
    response = await jeton.token(app, None, **{"grant_type": "refresh_token", "refresh_token": token} | parameters)

    assert outcome(response) == (400, error)
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A15", "A36")
async def test_a_malformed_form_consumes_nothing(jeton: Running, app: App, token: str) -> None:
    body = f"grant_type=refresh_token&refresh_token={token}&scope=read&scope=read"
    response = await jeton.http.post(
        "/oauth/token",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=app.auth or ("", ""),
    )

    assert outcome(response) == (400, "invalid_request")
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A36", "A54")
@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "é"], ids=ascii)
async def test_a_malformed_idempotency_key_consumes_nothing(jeton: Running, app: App, token: str, key: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    response = await jeton.http.post("/oauth/token", data=form, headers=headers, auth=app.auth or ("", ""))

    assert outcome(response) == (400, "invalid_request")
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A36")
async def test_a_repeated_idempotency_key_is_refused_and_consumes_nothing(jeton: Running, app: App, token: str) -> None:
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    response = await jeton.http.post("/oauth/token", data=form, headers=headers, auth=app.auth or ("", ""))

    assert outcome(response) == (400, "invalid_request")
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A38", "A45", "A48")
async def test_a_token_that_was_altered_is_refused_and_costs_the_session_nothing(
    jeton: Running, app: App, token: str
) -> None:
    other = await jeton.log_in(app)
    access_token = (await jeton.log_in(app))["access_token"]
    flipped = token[:50] + ("A" if token[50] != "A" else "B") + token[51:]
    altered = {
        "flipped": flipped,
        "cut": token[:-1],
        "half": token[:40],
        "longer": token + "A",
        "prefix in capitals": token.replace("jrt_", "JRT_"),
        "space after": token + " ",
        "without prefix": token.removeprefix("jrt_"),
        "another session's tag": token[:40] + other["refresh_token"][40:],
        "an access token": access_token,
        "a word": "x",
        "twenty thousand characters": "jrt_" + "A" * 20000,
        "not ASCII": token[:-1] + "é",
        "base64": b64encode(token.encode()).decode(),
    }

    answers = {name: await jeton.refresh(app, text) for name, text in altered.items()}

    assert {name: outcome(answer) for name, answer in answers.items()} == dict.fromkeys(altered, (400, "invalid_grant"))
    assert await jeton.refreshed(app, token)
    assert await jeton.refreshed(app, other["refresh_token"])


@pytest.mark.requirement("A39", "O07")
async def test_a_client_that_lost_the_grant_is_refused_until_it_has_it_again(
    jeton: Running, app: App, token: str
) -> None:
    jeton.set_client(app.client_id, grant_types=frozenset({"password"}))

    assert outcome(await jeton.refresh(app, token)) == (400, "unauthorized_client")

    jeton.set_client(app.client_id, grant_types=frozenset({"refresh_token"}))
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("A38", "I09", "O03")
@pytest.mark.parametrize("change", ["disabled", "deleted", "password changed"])
async def test_a_user_s_sessions_end_with_the_account_and_the_password(
    jeton: Running, app: App, token: str, change: str
) -> None:
    access_token = (await jeton.refreshed(app, token))["access_token"]
    sub = (await jeton.introspect(app, access_token))["sub"]
    other = (await jeton.log_in(app))["refresh_token"]
    with jeton.database.write() as connection:
        if change == "deleted":
            delete_user(connection, sub)
        if change == "password changed":
            end_families(connection, jeton.clock.now(), "password_changed", sub=sub)
    if change == "disabled":
        jeton.set_user(sub, disabled=True)

    assert outcome(await jeton.refresh(app, other)) == (400, "invalid_grant")
    assert await jeton.introspect(app, access_token) == {"active": False}


@pytest.mark.requirement("A38", "O03")
@pytest.mark.parametrize("repeat", [1, 3])
async def test_a_revoked_session_stays_revoked(jeton: Running, app: App, token: str, repeat: int) -> None:
    await jeton.revoke(app, token)

    for _ in range(repeat):
        assert outcome(await jeton.refresh(app, token)) == (400, "invalid_grant")


@pytest.mark.requirement("A42", "I07", "O03")
@pytest.mark.parametrize(
    ("left", "asked", "expected"),
    [
        ({"read"}, {}, (200, "read")),
        ({"read"}, {"scope": "read"}, (200, "read")),
        ({"read"}, {"scope": "write"}, (400, "invalid_scope")),
        ({"read"}, {"scope": "read write"}, (400, "invalid_scope")),
        ({"other"}, {}, (400, "invalid_scope")),
        (set(), {}, (400, "invalid_scope")),
    ],
)
async def test_scope_that_the_client_lost_is_lost_at_the_next_refresh(
    jeton: Running, app: App, token: str, left: set[str], asked: dict[str, str], expected: tuple[int, Any]
) -> None:
    jeton.set_client(app.client_id, scope=frozenset(left))

    response = await jeton.refresh(app, token, None, **asked)

    assert (response.status_code, response.json().get("error", response.json().get("scope"))) == expected


@pytest.mark.requirement("A42")
async def test_scope_that_the_client_has_again_comes_back(jeton: Running, app: App, token: str) -> None:
    jeton.set_client(app.client_id, scope=frozenset({"read"}))
    narrowed = await jeton.refreshed(app, token)
    jeton.set_client(app.client_id, scope=frozenset({"read", "write", "admin"}))

    assert (await jeton.refreshed(app, narrowed["refresh_token"]))["scope"] == "read write"
