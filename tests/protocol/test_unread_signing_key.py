"""An access token signed by a key that this node has not read yet is no unknown token (RFC 7009 2.2, RFC 7662 2.2)."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from jeton.crypto.master_key import MasterKeyError
from jeton.rules.key_lifecycle import PROPAGATION_SECONDS
from jeton.storage.clients import update_client
from jeton.storage.database import StorageUnavailableError
from support.in_process_server import App, Running
from support.statement_recorder import before_each_statement, statements_of

StartServer = Callable[..., Awaitable[Running]]
Nodes = tuple[Running, Running]
UNKNOWN_KEY: Final = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJSUzI1NiIsImtpZCI6Im5vbmUifQ.e30.e30"


@pytest.fixture
async def nodes(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """Two servers that look at the database only when they are told to."""
    monkeypatch.setattr("jeton.background.maintenance._REFRESH_SECONDS", 3600)
    monkeypatch.setattr("jeton.background.maintenance._RECENT_SECONDS", -1)
    return await start(), await start()


@pytest.fixture
async def app(nodes: Nodes) -> App:
    """A client of both. The first node signs with a key that the second has never read."""
    app = nodes[0].add_client(scope=frozenset({"account"}))
    nodes[0].add_user()
    for _ in range(2):
        nodes[0].maintenance.rotation.rotate_now()
        for node in nodes:
            node.clock.advance(PROPAGATION_SECONDS)
        nodes[0].maintenance.refresh()
    assert nodes[0].keyring.signer.kid.encode() not in nodes[1].keyring.key_set.document
    return app


async def test_it_is_active_there(nodes: Nodes, app: App) -> None:
    token = (await nodes[0].log_in(app))["access_token"]

    assert (await nodes[1].introspect(app, token))["active"] is True


async def test_its_user_is_let_in_there(nodes: Nodes, app: App) -> None:
    token = (await nodes[0].log_in(app))["access_token"]

    account = await nodes[1].http.get("/account", headers={"authorization": f"Bearer {token}"})

    assert account.status_code == 200


@pytest.mark.requirement("C04")
async def test_it_is_revoked_there(nodes: Nodes, app: App) -> None:
    token = (await nodes[0].log_in(app))["access_token"]

    assert (await nodes[1].revoke(app, token)).status_code == 200

    assert await nodes[0].introspect(app, token) == {"active": False}


@pytest.mark.requirement("C10", "O19")
@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_while_the_keys_cannot_be_read_nothing_is_said_of_it(nodes: Nodes, app: App, path: str) -> None:
    token = (await nodes[0].log_in(app))["access_token"]
    await nodes[1].introspect(app, "garbage")

    def away(sql: str) -> None:
        if "signing_keys" in sql:
            raise StorageUnavailableError

    with before_each_statement(nodes[1], away):
        response = await nodes[1].post(path, app, token=token)

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")


@pytest.mark.parametrize("token", [UNKNOWN_KEY, "garbage", "a.b.c", f"{UNKNOWN_KEY[:20]}.e30.e30"])
async def test_whoever_makes_up_keys_makes_nobody_read_them_again_and_again(
    nodes: Nodes, app: App, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.maintenance._RECENT_SECONDS", 60)
    with statements_of(nodes[1]) as sent:
        for _ in range(3):
            assert await nodes[1].introspect(app, token) == {"active": False}

    assert not [sql for sql in sent if "signing_keys" in sql]


async def test_a_key_that_does_not_open_here_keeps_nothing_else_from_being_read(
    nodes: Nodes, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was disabled elsewhere is refused here, and not remembered for ever."""
    own = await nodes[1].token(app, grant_type="client_credentials")
    with nodes[1].database.write() as connection:
        update_client(connection, app.client_id, disabled=True)

    def does_not_open(*_: object) -> None:
        raise MasterKeyError

    monkeypatch.setattr(nodes[1].keyring, "update", does_not_open)
    with pytest.raises(MasterKeyError):
        nodes[1].maintenance.refresh()

    refused = await nodes[1].token(app, grant_type="client_credentials")
    assert (own.status_code, refused.status_code) == (200, 401)
