"""Access tokens signed with a key that this server has not read yet (RFC 7009 section 2.2, RFC 7662 section 2.2)."""

from unittest.mock import Mock

import pytest

from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.signed_jwt import ID_TOKEN
from jeton.rules.key_lifecycle import PROPAGATION_SECONDS
from jeton.storage.clients import update_client
from jeton.storage.database import StorageUnavailableError
from support.in_process_server import ISSUER, Running, StartServer
from support.sessions import Session, new_session
from support.statement_recorder import before_each_statement, statements_of

UNKNOWN_KEY = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJSUzI1NiIsImtpZCI6Im5vbmUifQ.e30.e30"


@pytest.fixture
async def nodes(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> list[Running]:
    """Two servers that read the database only on request."""
    monkeypatch.setattr("jeton.background.maintenance._REFRESH_SECONDS", 3600)
    monkeypatch.setattr("jeton.background.key_refresh._RECENT_SECONDS", -1)
    return [await start(), await start()]


@pytest.fixture
async def session(nodes: list[Running]) -> Session:
    """A session at the first server, which signs with a key that the second server has not read."""
    app = nodes[0].add_client(scope=frozenset({"account"}))
    for _ in range(2):
        nodes[0].rotation.rotate_now()
        for node in nodes:
            node.clock.advance(PROPAGATION_SECONDS)
        nodes[0].shared_state.refresh()
    assert nodes[0].keyring.signer.kid.encode() not in nodes[1].keyring.key_set.document
    return await new_session(nodes[0], app)


@pytest.mark.both_databases
@pytest.mark.requirement("C04")
@pytest.mark.parametrize("use", ["introspect", "account", "logout", "revoke"])
async def test_token_is_accepted(nodes: list[Running], session: Session, use: str) -> None:
    if use == "introspect":
        assert (await nodes[1].introspect(session.app, session.access))["active"] is True
    elif use == "account":
        assert (await nodes[1].http.get("/account", headers=session.bearer)).status_code == 200
    elif use == "logout":
        claims = {"iss": ISSUER, "aud": "nobody"}
        hint = await nodes[0].keyring.sign(nodes[0].keyring.signer, claims, ID_TOKEN)
        # It is an ID token of this issuer, and names a client that does not exist.
        assert (await nodes[1].http.get("/oauth/logout", params={"id_token_hint": hint})).status_code == 400
    else:
        assert (await nodes[1].revoke(session.app, session.access)).status_code == 200
        assert await nodes[0].introspect(session.app, session.access) == {"active": False}


@pytest.mark.requirement("C10", "O19")
@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_response_is_503_while_the_keys_cannot_be_read(nodes: list[Running], session: Session, path: str) -> None:
    await nodes[1].introspect(session.app, "garbage")

    def fail(sql: str) -> None:
        if "signing_keys" in sql:
            raise StorageUnavailableError

    with before_each_statement(nodes[1], fail):
        response = await nodes[1].post(path, session.app, token=session.access)

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")


@pytest.mark.requirement("O16")
async def test_unknown_kids_never_cause_repeated_reads(
    nodes: list[Running], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.key_refresh._RECENT_SECONDS", 60)
    with statements_of(nodes[1]) as sent:
        for token in [UNKNOWN_KEY, "garbage", "a.b.c", f"{UNKNOWN_KEY[:20]}.e30.e30"] * 3:
            assert await nodes[1].introspect(session.app, token) == {"active": False}

    assert not [sql for sql in sent if "signing_keys" in sql]


@pytest.mark.requirement("O03")
async def test_key_that_cannot_be_opened_does_not_keep_the_rest_from_being_read(
    nodes: list[Running], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = await nodes[1].token(session.app, grant_type="client_credentials")
    with nodes[1].database.write() as connection:
        update_client(connection, session.app.client_id, disabled=True)
    monkeypatch.setattr(nodes[1].keyring, "update", Mock(side_effect=MasterKeyError))
    with pytest.raises(MasterKeyError):
        nodes[1].shared_state.refresh()

    refused = await nodes[1].token(session.app, grant_type="client_credentials")
    assert (cached.status_code, refused.status_code) == (200, 401)
