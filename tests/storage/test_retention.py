"""Retention: what nothing can refer to any more is deleted, little by little; what a replay can be told by stays."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select

from jeton.background.maintenance import Maintenance
from jeton.crypto.refresh_token import parse_refresh_token
from jeton.oauth.sessions import RevokedAccessToken
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, KeyState
from jeton.storage.families import load_families
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens, load_revoked_access_tokens
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.tables import ended_tokens, families
from support.in_process_server import App, Running, running, settings_for
from support.lock_contention import OnPostgresql, until

Start = Callable[..., Awaitable[Running]]

IDLE, ABSOLUTE, ACCESS = 100, 1000, 50


@pytest.fixture
async def node(start: Start) -> Running:
    """Sessions end after 100 seconds of idleness and 1000 at most; access tokens live 50."""
    return await start(
        TOKENS__REFRESH_IDLE_SECONDS=str(IDLE),
        TOKENS__REFRESH_ABSOLUTE_SECONDS=str(ABSOLUTE),
        TOKENS__ACCESS_SECONDS=str(ACCESS),
        LIMITS__LOGINS_PER_ACCOUNT="0",
    )


@pytest.fixture
def app(node: Running) -> App:
    node.add_user()
    return node.add_client()


def sid_of(refresh_token: str) -> str:
    presented = parse_refresh_token(refresh_token)
    assert presented is not None
    return presented.sid


def is_stored(node: Running, refresh_token: str) -> bool:
    with node.database.read() as connection:
        return bool(load_families(connection, [sid_of(refresh_token)]))


def rows(node: Running) -> tuple[int, int]:
    """How many families, and how many ended tokens, are stored."""
    with node.database.read() as connection:
        counted = [
            connection.scalar(select(func.count()).select_from(table)) or 0 for table in (families, ended_tokens)
        ]
    return counted[0], counted[1]


async def test_a_session_is_forgotten_at_its_absolute_end_and_not_a_second_before(node: Running, app: App) -> None:
    token = (await node.log_in(app))["refresh_token"]

    node.clock.advance(ABSOLUTE - 1)
    assert (node.maintenance.purge_expired(), is_stored(node, token)) == (0, True)
    node.clock.advance(1)
    assert (node.maintenance.purge_expired(), is_stored(node, token)) == (1, False)


async def test_a_forgotten_sessions_tokens_are_refused_as_any_unknown_one(node: Running, app: App) -> None:
    first = await node.log_in(app)
    node.clock.advance(ABSOLUTE)
    node.maintenance.purge_expired()

    refused = await node.refresh(app, first["refresh_token"])

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert await node.introspect(app, first["refresh_token"]) == {"active": False}
    assert await node.introspect(app, first["access_token"]) == {"active": False}
    assert (await node.revoke(app, first["refresh_token"])).status_code == 200


@pytest.mark.requirement("O02")
async def test_a_session_in_use_is_forgotten_at_its_absolute_end_too(node: Running, app: App) -> None:
    token = (await node.log_in(app))["refresh_token"]
    for _ in range(10):
        node.clock.advance(IDLE - 1)
        token = (await node.refreshed(app, token))["refresh_token"]
    node.clock.advance(ABSOLUTE - 10 * (IDLE - 1))

    node.maintenance.purge_expired()

    assert not is_stored(node, token)


@pytest.mark.requirement("O08")
async def test_an_ended_session_is_deleted_once_its_last_access_token_is_accepted_nowhere(
    node: Running, app: App
) -> None:
    spent = (await node.log_in(app))["refresh_token"]
    token = (await node.refreshed(app, spent))["refresh_token"]
    await node.revoke(app, token)

    node.clock.advance(ACCESS + CLOCK_SKEW_SECONDS - 1)
    assert (node.maintenance.purge_expired(), is_stored(node, token)) == (0, True)
    node.clock.advance(1)
    assert (node.maintenance.purge_expired(), is_stored(node, token)) == (2, False)

    for replayed in (spent, token):
        assert (await node.refresh(app, replayed)).json()["error"] == "invalid_grant"
        assert await node.introspect(app, replayed) == {"active": False}


async def test_an_idle_session_is_kept_and_a_replay_still_kills_it(node: Running, app: App) -> None:
    stolen = (await node.log_in(app))["refresh_token"]
    await node.refreshed(app, stolen)
    node.clock.advance(IDLE)
    node.maintenance.purge_expired()

    await node.refresh(app, stolen)

    with node.database.read() as connection:
        family = load_families(connection, [sid_of(stolen)])[sid_of(stolen)]
    assert family.revoke_reason == "refresh_token_reused"


@pytest.mark.requirement("C04")
async def test_an_ended_access_token_is_remembered_until_it_has_expired_by_itself(node: Running, app: App) -> None:
    token = (await node.token(app, grant_type="client_credentials")).json()["access_token"]
    verified = node.keyring.verifier.verify(token)
    assert verified is not None
    claims = verified.claims
    await node.revoke(app, token)

    node.clock.advance(ACCESS - 1)
    assert node.maintenance.purge_expired() == 0
    with node.database.read() as connection:
        assert load_revoked_access_tokens(connection, [claims["jti"]]) == {claims["jti"]}
    assert await node.introspect(app, token) == {"active": False}

    node.clock.advance(1)
    assert node.maintenance.purge_expired() == 1
    assert rows(node) == (0, 0)


async def test_no_more_than_so_many_rows_are_deleted_at_once(
    node: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.maintenance._MAX_ROWS", 10)
    for _ in range(25):
        await node.log_in(app)
        await node.revoke(app, (await node.token(app, grant_type="client_credentials")).json()["access_token"])
    node.clock.advance(ABSOLUTE - 1)
    kept = (await node.log_in(app))["refresh_token"]
    node.clock.advance(1)

    left = []
    while node.maintenance.delete_expired_batch():
        left.append(rows(node))

    assert left == [(16, 15), (6, 5), (1, 0)]
    await node.refreshed(app, kept)


@pytest.mark.requirement("O02")
async def test_a_server_deletes_under_load_until_nothing_is_left_and_looks_meanwhile(
    node: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.maintenance._MAX_ROWS", 10)
    monkeypatch.setattr("jeton.background.maintenance._PURGE_SECONDS", 0)
    monkeypatch.setattr("jeton.background.maintenance._REFRESH_SECONDS", 0)
    maintenance, database, done = node.maintenance, node.database, list[str]()
    for name in ("refresh", "delete_expired_batch"):
        monkeypatch.setattr(Maintenance, name, noted(name, getattr(Maintenance, name), done))
    past = [RevokedAccessToken(f"jti{number}", node.clock.now()) for number in range(95)]
    with database.write() as connection:
        insert_revoked_access_tokens(connection, past)
    running_upkeep = asyncio.ensure_future(maintenance.run())

    await until(lambda: rows(node) == (0, 0), "all that is past deleted")
    running_upkeep.cancel()
    await asyncio.wait([running_upkeep])

    between = done[done.index("delete_expired_batch") : len(done) - done[::-1].index("delete_expired_batch")]
    assert between.count("delete_expired_batch") >= 10
    assert "refresh" in between
    assert running_upkeep.cancelled()


def noted(name: str, work: Callable[[Maintenance], object], done: list[str]) -> Callable[[Maintenance], object]:
    """The same method, which notes its name first."""

    def do(maintenance: Maintenance) -> object:
        done.append(name)
        return work(maintenance)

    return do


async def test_a_signing_key_is_forgotten_once_it_has_left_the_key_set(node: Running) -> None:
    before = node.maintenance.rotation.rotate_now()
    (retiring,) = [key for key in before if key.state is KeyState.RETIRING]
    assert retiring.gone_at is not None
    node.clock.advance(retiring.gone_at - node.clock.now() - 1)
    assert node.maintenance.purge_expired() == 0
    node.clock.advance(1)
    assert node.maintenance.purge_expired() == 1

    database = node.database
    with database.read() as connection:
        left = load_signing_keys(connection)
    assert left == [key for key in before if key.gone_at is None]
    assert {key.state for key in left} == {KeyState.ACTIVE, KeyState.NEXT}


@pytest.mark.postgresql
async def test_a_row_that_is_in_use_is_left_for_the_next_time(postgresql_url: str) -> None:
    third = OnPostgresql(postgresql_url)
    async with running(settings_for(postgresql_url, LIMITS__LOGINS_PER_ACCOUNT="0")) as node:
        app = node.add_client(lifetimes={"refresh_absolute_seconds": ABSOLUTE})
        node.add_user()
        tokens = [(await node.log_in(app))["refresh_token"] for _ in range(2)]
        node.clock.advance(ABSOLUTE)

        async with third.holding("family", sid_of(tokens[0])):
            assert node.maintenance.purge_expired() == 1
        assert [is_stored(node, token) for token in tokens] == [True, False]
        assert node.maintenance.purge_expired() == 1
    third.close()
