"""ADR 0005: a client that was read a moment ago is remembered to authenticate it, and for nothing else."""

from typing import Any

import pytest

from jeton.crypto.credentials import digest_secret
from jeton.storage.clients import update_client
from support.in_process_server import App, Running


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


def change_unannounced(jeton: Running, app: App, **columns: Any) -> None:
    """As another process does it: the server is not told, and has not looked yet."""
    with jeton.database.write() as connection:
        update_client(connection, app.client_id, **columns)


@pytest.mark.requirement("A37", "A39", "A42", "O03", "O07")
@pytest.mark.parametrize(
    ("change", "asked", "status", "error"),
    [
        pytest.param({"disabled": True}, {}, 401, "invalid_client", id="disabled"),
        pytest.param({"grant_types": frozenset({"password"})}, {}, 400, "unauthorized_client", id="grant taken away"),
        pytest.param({"scope": frozenset({"read"})}, {"scope": "write"}, 400, "invalid_scope", id="scope taken away"),
        pytest.param({"scope": frozenset({"other"})}, {}, 400, "invalid_scope", id="all scope taken away"),
    ],
)
async def test_what_was_taken_from_a_client_is_gone_at_its_very_next_refresh(
    jeton: Running, app: App, change: dict[str, Any], asked: dict[str, str], status: int, error: str
) -> None:
    tokens = await jeton.log_in(app)
    before = {name: getattr(app.client, name) for name in change}
    change_unannounced(jeton, app, **change)

    refused = await jeton.refresh(app, tokens["refresh_token"], None, **asked)

    assert (refused.status_code, refused.json()["error"]) == (status, error)
    change_unannounced(jeton, app, **before)
    assert await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("A37")
async def test_being_disabled_a_moment_ago_looks_like_any_failed_authentication(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    change_unannounced(jeton, app, disabled=True)

    remembered = await jeton.refresh(app, tokens["refresh_token"])
    unknown = await jeton.refresh(App(app.client, "wrong"), tokens["refresh_token"])

    assert (remembered.status_code, sorted(remembered.headers.multi_items()), remembered.content) == (
        unknown.status_code,
        sorted(unknown.headers.multi_items()),
        unknown.content,
    )


@pytest.mark.requirement("D05", "O03")
async def test_tokens_of_a_disabled_client_are_inactive_at_once(jeton: Running, app: App) -> None:
    api = jeton.add_client("api", introspect=True)
    tokens = await jeton.log_in(app)
    assert (await jeton.introspect(api, tokens["access_token"]))["active"] is True
    change_unannounced(jeton, app, disabled=True)

    assert await jeton.introspect(api, tokens["access_token"]) == {"active": False}


@pytest.mark.requirement("O14")
async def test_a_new_secret_works_at_once(jeton: Running, app: App) -> None:
    await jeton.log_in(app)
    change_unannounced(jeton, app, secret_digest=digest_secret("new"))

    assert await jeton.log_in(App(app.client, "new"))


@pytest.mark.requirement("A10")
async def test_a_method_that_was_given_works_at_once(jeton: Running) -> None:
    app = jeton.add_client(auth_methods=frozenset({"client_secret_basic"}))
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.secret or ""}
    assert (await jeton.http.post("/oauth/token", data=form)).status_code == 401
    change_unannounced(jeton, app, auth_methods=frozenset({"client_secret_post"}))

    assert (await jeton.http.post("/oauth/token", data=form)).status_code == 200


@pytest.mark.requirement("O14")
async def test_an_overlap_ends_at_its_second_for_a_remembered_client_too(jeton: Running, app: App) -> None:
    await jeton.log_in(app)
    change_unannounced(
        jeton,
        app,
        secret_digest=digest_secret("new"),
        previous_secret_digest=app.client.secret_digest,
        previous_secret_expires_at=jeton.clock.now() + 60,
    )
    assert await jeton.log_in(App(app.client, "new"))
    jeton.clock.advance(60)

    assert (await jeton.token(app, grant_type="client_credentials")).status_code == 401


@pytest.mark.requirement("A37", "O03")
async def test_everything_else_is_over_at_the_next_look(jeton: Running, app: App) -> None:
    await jeton.log_in(app)
    change_unannounced(jeton, app, disabled=True)
    jeton.maintenance.refresh()

    refused = await jeton.token(app, grant_type="client_credentials")

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
