"""The throttle over real databases: exact on two nodes, kept over a restart, bounded, and silent while it remembers."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import func, select

from jeton.login.login_rate_limits import LoginRequest
from jeton.oauth.sessions import Source
from jeton.rules.attempts import Attempt, Limit, RateLimited, Reservation
from jeton.rules.rate_limit_policies import MAX_FAILURES, BackoffPolicy
from jeton.storage.tables import throttle_buckets
from support.client_addresses import seen_from
from support.in_process_server import Running, running, settings_for
from support.lock_contention import OnPostgresql, until
from support.statement_recorder import statements_of

Nodes = tuple[Running, Running]
ACCOUNT = Attempt((Limit("account", b"account", BackoffPolicy(10, 30, 3600, limit=MAX_FAILURES)),))


def count_buckets(jeton: Running) -> int:
    with jeton.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(throttle_buckets)) or 0


@pytest.mark.requirement("A24", "K07")
async def test_two_nodes_let_in_together_what_one_would(nodes: Nodes) -> None:
    throttles = [it.rate_limiter for it in nodes]

    outcomes = await asyncio.gather(*(throttles[number % 2].reserve(ACCOUNT) for number in range(200)))

    assert [isinstance(it, Reservation) for it in outcomes].count(True) == 10


@pytest.mark.postgresql
@pytest.mark.requirement("A24", "K07")
async def test_two_nodes_that_wait_for_one_bucket_at_the_same_moment_let_in_what_one_would(
    request: pytest.FixtureRequest, postgresql_url: str
) -> None:
    third = OnPostgresql(postgresql_url)
    request.addfinalizer(third.close)
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(running(settings_for(postgresql_url))) for _ in range(2)]
        throttles = [it.rate_limiter for it in nodes]
        for number in range(10):
            attempt = Attempt((Limit("account", b"account %d" % number, BackoffPolicy(10, 30, 3600)),))
            with third.holding_throttle_buckets():
                waiting = [asyncio.ensure_future(throttles[it % 2].reserve(attempt)) for it in range(50)]
                await until(lambda: third.waiting() >= 2, "two nodes waiting for the buckets")

            outcomes = await asyncio.gather(*waiting)
            assert [isinstance(it, Reservation) for it in outcomes].count(True) == 10


async def test_buckets_taken_in_any_order_on_two_nodes_make_nobody_wait_for_ever(nodes: Nodes) -> None:
    policy = BackoffPolicy(100, 30, 3600)
    limits = [Limit("account", bytes([number]), policy) for number in range(8)]
    attempts = [Attempt(tuple(limits[it % 8 :] + limits[: it % 8])) for it in range(64)]

    outcomes = await asyncio.gather(*(nodes[number % 2].rate_limiter.reserve(it) for number, it in enumerate(attempts)))

    assert all(isinstance(it, Reservation) for it in outcomes)


async def test_a_restart_forgets_nothing(database_url: str) -> None:
    async with running(settings_for(database_url)) as before:
        await asyncio.gather(*(before.rate_limiter.reserve(ACCOUNT) for _ in range(10)))

    async with running(settings_for(database_url)) as after:
        outcome = await after.rate_limiter.reserve(ACCOUNT)

    assert isinstance(outcome, RateLimited)


async def test_a_known_source_is_known_after_a_restart_and_on_the_other_node(database_url: str) -> None:
    async with running(settings_for(database_url)) as before:
        before.add_user()
        app = before.add_client()
        await before.log_in(app)

    async with running(settings_for(database_url)) as after:
        for _ in range(20):
            await seen_from(after, "198.51.100.7").token(
                app, None, grant_type="password", username="alice", password="a wrong password"
            )
        assert await after.log_in(app)


async def test_what_is_remembered_as_shut_is_refused_without_asking_the_database(jeton: Running) -> None:
    app = jeton.add_client()
    login = {"grant_type": "password", "username": "alice", "password": "a wrong password"}
    jeton.add_user()
    await asyncio.gather(*(jeton.token(app, None, **login) for _ in range(12)))

    with statements_of(jeton) as sent:
        for _ in range(5):
            assert (await jeton.token(app, None, **login)).status_code == 400

    assert not [it for it in sent if "users" in it or "throttle" in it]


async def test_an_honest_refresh_sends_no_statement_of_the_throttle(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    token = (await jeton.log_in(app))["refresh_token"]

    with statements_of(jeton) as sent:
        await jeton.refreshed(app, token)

    assert any("families" in it for it in sent)
    assert not [it for it in sent if "throttle" in it]


async def test_made_up_names_leave_no_more_rows_than_there_are_buckets_for_them(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.login.login_rate_limits._UNKNOWN_NAME_BUCKETS", 16)
    monkeypatch.setattr("jeton.login.address_limits._BUCKETS", (32, 16, 8))
    client, limits = jeton.add_client().client, jeton.login.limits

    logins = [
        LoginRequest(f"user{it}", client.client_id, Source(f"2001:db8:{it % 50}:{it // 50:x}00::"))
        for it in range(2000)
    ]
    await asyncio.gather(*(limits.reserve(login, None) for login in logins))

    assert count_buckets(jeton) == 16 + 32 + 16 + 8 + 1


async def test_buckets_that_hold_nothing_any_more_are_deleted(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    await jeton.token(app, None, grant_type="password", username="alice", password="a wrong password")
    assert count_buckets(jeton) == 3

    jeton.clock.advance(3600)
    jeton.maintenance.purge_expired()
    assert count_buckets(jeton) == 1
    jeton.clock.advance(366 * 86400)
    jeton.maintenance.purge_expired()

    assert count_buckets(jeton) == 0


async def test_no_row_names_anybody(jeton: Running) -> None:
    app = jeton.add_client()
    user = jeton.add_user()
    await jeton.log_in(app)
    with jeton.database.read() as connection:
        keys = list(connection.scalars(select(throttle_buckets.c.key)))

    assert {len(key) for key in keys} == {16}
    assert not [key for key in keys for word in ("alice", user.sub, "web", "127.0.0.1") if word.encode() in key]
