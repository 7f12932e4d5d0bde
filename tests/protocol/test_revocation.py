"""Revocation (RFC 7009): what a client can revoke, and the responses. Who may revoke and introspect (RFC 7662)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from jeton.http.form_parsing import MAX_BYTES
from jeton.storage.tables import ended_tokens
from support.in_process_server import App, Running
from support.responses import outcome
from support.statement_recorder import statements_of

INACTIVE = {"active": False}
REFUSED = (400, "invalid_grant")
KINDS = ["refresh_token", "access_token"]


@pytest.fixture(scope="module")
def shared(shared_jeton: Running) -> Running:
    """A server that several tests share."""
    shared_jeton.add_user()
    return shared_jeton


def add_client(jeton: Running, *, public: bool = False) -> App:
    return jeton.add_client(uuid4().hex, public=public)


async def is_active(jeton: Running, app: App, token: str) -> bool:
    return bool((await jeton.introspect(app, token))["active"])


@pytest.mark.both_databases
@pytest.mark.requirement("C01", "C04", "C05", "O03")
@pytest.mark.parametrize("generation", [0, 1, 2], ids=["first", "spent", "newest"])
async def test_refresh_token_of_any_generation_ends_its_session_only(jeton: Running, app: App, generation: int) -> None:
    laptop, issued = await jeton.log_in(app), [await jeton.log_in(app)]
    for _ in range(2):
        issued.append(await jeton.refreshed(app, issued[-1]["refresh_token"]))

    answers = [await jeton.revoke(app, issued[generation]["refresh_token"]) for _ in range(2)]

    assert [outcome(it) for it in answers] == [(200, None)] * 2
    assert [await jeton.introspect(app, it["access_token"]) for it in issued] == [INACTIVE] * 3
    for _ in range(2):
        assert outcome(await jeton.refresh(app, issued[-1]["refresh_token"])) == REFUSED
    assert await is_active(jeton, app, laptop["access_token"])
    assert await jeton.refreshed(app, laptop["refresh_token"])


@pytest.mark.both_databases
@pytest.mark.requirement("C01", "C06", "C08")
async def test_access_token_is_revoked_alone_and_its_session_continues(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    answers = [await jeton.revoke(app, first["access_token"]) for _ in range(2)]

    assert [outcome(it) for it in answers] == [(200, None)] * 2
    assert await jeton.introspect(app, first["access_token"]) == INACTIVE
    assert await is_active(jeton, app, second["access_token"])
    assert await jeton.refreshed(app, second["refresh_token"])


@pytest.mark.both_databases
@pytest.mark.requirement("C01", "C04", "C08")
async def test_revoked_access_token_is_stored_until_it_expires_and_no_longer(jeton: Running, app: App) -> None:
    tokens = (await jeton.token(app, grant_type="client_credentials")).json()
    stored = []
    await jeton.revoke(app, tokens["access_token"])
    for seconds in (tokens["expires_in"] - 1, 1):
        jeton.clock.advance(seconds)
        jeton.purge.delete_expired()
        stored.append(jeton.count(ended_tokens))
    assert outcome(await jeton.revoke(app, tokens["access_token"])) == (200, None)

    assert [*stored, jeton.count(ended_tokens)] == [1, 0, 0]
    assert await jeton.introspect(app, tokens["access_token"]) == INACTIVE


@pytest.mark.requirement("C02", "C07", "C08")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hint", [*KINDS, "urn:example:unheard-of"])
async def test_token_type_hint_never_matters(shared: Running, kind: str, hint: str) -> None:
    app = add_client(shared)
    token = (await shared.log_in(app))[kind]

    assert outcome(await shared.revoke(app, token, token_type_hint=hint)) == (200, None)
    assert await shared.introspect(app, token) == INACTIVE


@pytest.mark.requirement("C01", "C08")
@pytest.mark.parametrize(
    "token",
    ["garbage", "jrt_" + "A" * 76, "jrt_" + "_" * 75, "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "\u00e9\u2713", "x" * 9000],
    ids=["garbage", "forged", "cut", "unsigned", "three parts", "not ASCII", "long"],
)
async def test_unknown_token_is_no_error(shared: Running, token: str) -> None:
    response = await shared.revoke(add_client(shared), token)

    assert (response.status_code, response.content) == (200, b"{}")
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.requirement("C03")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_token_of_another_client_is_refused_and_stays_alive(shared: Running, public: bool, kind: str) -> None:
    app, other = add_client(shared), add_client(shared, public=public)
    tokens = await shared.log_in(app)

    assert outcome(await shared.revoke(other, tokens[kind])) == REFUSED
    assert await is_active(shared, app, tokens["access_token"])
    assert await shared.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("C10")
async def test_503_and_not_200_if_the_revocation_could_not_be_committed(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)

    with failing_commits(jeton.database.engine):
        response = await jeton.revoke(app, tokens["refresh_token"])

    assert outcome(response) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert await jeton.refreshed(app, tokens["refresh_token"])


@contextmanager
def failing_commits(engine: Engine) -> Iterator[None]:
    """Fail at the commit of each transaction that writes, as if the connection were lost."""

    def fail(connection: Connection) -> None:
        if connection.get_execution_options().get("write", True):
            raise OperationalError("COMMIT", {}, Exception("the server closed the connection"))

    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)


@pytest.mark.requirement("C12")
@pytest.mark.parametrize("hint", KINDS)
async def test_malformed_token_causes_no_query(jeton: Running, app: App, hint: str) -> None:
    with statements_of(jeton) as statements:
        await jeton.revoke(app, "garbage", token_type_hint=hint)

    assert any("FROM clients" in statement for statement in statements)
    assert not [it for it in statements if "families" in it or "ended_tokens" in it]


# Who may call both endpoints, and how. Authentication and forms are the same as at the token endpoint: tested there.


REVOKE, INTROSPECT = "/oauth/revoke", "/oauth/introspect"
both = pytest.mark.parametrize("path", [REVOKE, INTROSPECT], ids=["revoke", "introspect"])


@pytest.mark.requirement("D01", "D07")
async def test_public_client_may_not_introspect(shared: Running) -> None:
    public = add_client(shared, public=True)
    token = (await shared.log_in(public))["access_token"]

    response = await shared.post(INTROSPECT, public, token=token)

    assert outcome(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic realm=")


@both
@pytest.mark.requirement("C02", "C09", "C12", "D02", "D07", "O20")
async def test_malformed_request_is_refused(shared: Running, path: str) -> None:
    app, headers = add_client(shared), {"Content-Type": "application/x-www-form-urlencoded"}
    for body, query, status in (
        *(("", "", 400), ("token=", "", 400), ("token=a&token=b", "", 400), ("token=a", "?token=a", 400)),
        ("token=" + "x" * MAX_BYTES, "", 413),
    ):
        response = await shared.http.post(path + query, headers=headers, content=body, auth=app.auth or ("", ""))
        assert outcome(response) == (status, "invalid_request")
