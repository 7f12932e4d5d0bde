"""RFC 7009: what a client can end, what it cannot, and what it hears."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.exc import OperationalError

from jeton.storage.tables import ended_tokens
from support.in_process_server import App, Running
from support.statement_recorder import statements_of


async def _is_spendable(jeton: Running, app: App, refresh_token: str) -> bool:
    response = await jeton.refresh(app, refresh_token)
    if response.status_code != 200:
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    return response.status_code == 200


async def _is_active(jeton: Running, app: App, token: str) -> bool:
    return bool((await jeton.introspect(app, token))["active"])


@pytest.mark.requirement("C01", "C04", "C05")
async def test_a_revoked_refresh_token_is_dead_at_once_and_its_access_token_with_it(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    response = await jeton.revoke(app, tokens["refresh_token"])

    assert response.status_code == 200
    assert not await _is_spendable(jeton, app, tokens["refresh_token"])
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


@pytest.mark.requirement("C05")
async def test_every_access_token_of_the_family_ends_with_its_refresh_token(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    await jeton.revoke(app, second["refresh_token"])

    assert not await _is_active(jeton, app, first["access_token"])
    assert not await _is_active(jeton, app, second["access_token"])


@pytest.mark.requirement("C01", "C05")
@pytest.mark.parametrize("generation", [0, 1, 2], ids=["the first", "a spent one", "the newest"])
async def test_a_refresh_token_of_any_generation_ends_the_family(jeton: Running, generation: int) -> None:
    app = jeton.add_client()
    jeton.add_user()
    issued = [(await jeton.log_in(app))["refresh_token"]]
    for _ in range(2):
        issued.append((await jeton.refreshed(app, issued[-1]))["refresh_token"])

    response = await jeton.revoke(app, issued[generation])

    assert response.status_code == 200
    assert not await _is_spendable(jeton, app, issued[-1])


@pytest.mark.requirement("C05")
async def test_another_session_of_the_same_user_and_client_lives_on(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    phone, laptop = await jeton.log_in(app), await jeton.log_in(app)

    await jeton.revoke(app, phone["refresh_token"])

    assert await _is_active(jeton, app, laptop["access_token"])
    assert await _is_spendable(jeton, app, laptop["refresh_token"])


@pytest.mark.requirement("C01", "C06")
async def test_a_revoked_access_token_is_inactive_and_its_session_lives_on(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    response = await jeton.revoke(app, first["access_token"])

    assert response.status_code == 200
    assert await jeton.introspect(app, first["access_token"]) == {"active": False}
    assert await _is_active(jeton, app, second["access_token"])
    assert await _is_spendable(jeton, app, second["refresh_token"])


@pytest.mark.requirement("C01")
async def test_an_access_token_without_a_session_can_be_revoked(jeton: Running) -> None:
    app = jeton.add_client()
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    await jeton.revoke(app, token)

    assert await jeton.introspect(app, token) == {"active": False}


@pytest.mark.requirement("C04")
async def test_a_revoked_access_token_is_remembered_until_it_expires_and_not_longer(jeton: Running) -> None:
    app = jeton.add_client()
    tokens = (await jeton.token(app, grant_type="client_credentials")).json()
    await jeton.revoke(app, tokens["access_token"])

    jeton.clock.advance(tokens["expires_in"] - 1)
    jeton.maintenance.purge_expired()
    remembered = _count_ended(jeton)
    jeton.clock.advance(1)
    jeton.maintenance.purge_expired()

    assert (remembered, _count_ended(jeton)) == (1, 0)
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


def _count_ended(jeton: Running) -> int:
    with jeton.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(ended_tokens)) or 0


@pytest.mark.requirement("C08")
async def test_revoking_an_expired_access_token_stores_nothing(jeton: Running) -> None:
    app = jeton.add_client()
    tokens = (await jeton.token(app, grant_type="client_credentials")).json()
    jeton.clock.advance(tokens["expires_in"])

    response = await jeton.revoke(app, tokens["access_token"])

    assert (response.status_code, _count_ended(jeton)) == (200, 0)


@pytest.mark.requirement("C02", "C07", "C08")
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "urn:example:unheard-of"])
async def test_the_hint_never_matters(jeton: Running, kind: str, hint: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    response = await jeton.revoke(app, tokens[kind], token_type_hint=hint)

    assert response.status_code == 200
    assert await jeton.introspect(app, tokens[kind]) == {"active": False}


@pytest.mark.requirement("C08")
@pytest.mark.parametrize(
    "token",
    ["garbage", "jrt_" + "A" * 76, "jrt_" + "_" * 75, "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "\u00e9\u2713", "x" * 9000],
    ids=["garbage", "forged", "cut", "unsigned", "three parts", "not ASCII", "long"],
)
async def test_an_unknown_token_is_no_error(jeton: Running, token: str) -> None:
    app = jeton.add_client()

    response = await jeton.revoke(app, token)

    assert (response.status_code, response.content) == (200, b"{}")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("C08")
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_revoking_again_is_no_error(jeton: Running, kind: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    await jeton.revoke(app, tokens[kind])

    again = await jeton.revoke(app, tokens[kind])

    assert again.status_code == 200
    assert await jeton.introspect(app, tokens[kind]) == {"active": False}


@pytest.mark.requirement("C01")
async def test_the_answer_is_never_stored_by_a_cache(jeton: Running) -> None:
    response = await jeton.revoke(jeton.add_client(), "garbage")

    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.requirement("C03")
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_the_token_of_another_client_is_refused_and_stays_alive(jeton: Running, kind: str) -> None:
    app, other = jeton.add_client(), jeton.add_client("other")
    jeton.add_user()
    tokens = await jeton.log_in(app)

    response = await jeton.revoke(other, tokens[kind])

    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert await _is_active(jeton, app, tokens["access_token"])
    assert await _is_spendable(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("C03")
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_a_public_client_may_revoke_its_own(jeton: Running, kind: str) -> None:
    app, reader = jeton.add_client("spa", public=True), jeton.add_client("api", introspect=True)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    response = await jeton.revoke(app, tokens[kind])

    assert response.status_code == 200
    assert await jeton.introspect(reader, tokens["access_token"]) == {"active": False}
    assert await _is_spendable(jeton, app, tokens["refresh_token"]) is (kind == "access_token")


@pytest.mark.requirement("C03")
async def test_a_public_client_may_not_revoke_what_is_another_s(jeton: Running) -> None:
    app, spa = jeton.add_client(), jeton.add_client("spa", public=True)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    response = await jeton.revoke(spa, tokens["refresh_token"])

    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert await _is_spendable(jeton, app, tokens["refresh_token"])


@pytest.mark.requirement("C10")
async def test_503_and_not_200_where_the_revocation_could_not_be_committed(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    with _failing_commits(jeton.database.engine):
        response = await jeton.revoke(app, tokens["refresh_token"])

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert await _is_spendable(jeton, app, tokens["refresh_token"])


@contextmanager
def _failing_commits(engine: Engine) -> Iterator[None]:
    """The database goes away at the worst moment of a transaction that writes."""

    def fail(connection: Connection) -> None:
        if connection.get_execution_options().get("write", True):
            raise OperationalError("COMMIT", {}, Exception("the server closed the connection"))

    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)


@pytest.mark.requirement("C12")
@pytest.mark.parametrize("hint", ["refresh_token", "access_token"])
async def test_garbage_under_a_bad_hint_costs_no_look_into_the_database(jeton: Running, hint: str) -> None:
    app = jeton.add_client()

    with statements_of(jeton) as statements:
        await jeton.revoke(app, "garbage", token_type_hint=hint)

    assert any("FROM clients" in statement for statement in statements)
    assert not [it for it in statements if "families" in it or "ended_tokens" in it]
