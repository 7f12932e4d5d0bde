"""The rate limiter on real databases: exact on two nodes, kept over a restart, bounded, and without superfluous SQL."""

import asyncio
from collections.abc import Iterable

import pytest

from jeton.login.login_rate_limits import LoginRequest
from jeton.oauth.sessions import Source
from jeton.rules.attempts import Attempt, Limit, RateLimited, Reservation
from jeton.rules.rate_limit_policies import BackoffPolicy
from jeton.storage.rate_limiter import RateLimiter
from jeton.storage.tables import throttle_buckets
from support.client_addresses import from_address
from support.in_process_server import App, Running, running, settings_for
from support.lock_contention import Nodes, PostgresqlContention, until
from support.statement_recorder import statements_of

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WRONG = {"grant_type": "password", "username": "alice", "password": "a wrong password"}


def attempt(key: bytes = b"account") -> Attempt:
    """Return an attempt under a limit of ten."""
    return Attempt((Limit("account", key, BackoffPolicy(10, 30, 3600)),))


def reserve_on_both_nodes(
    nodes: Nodes, attempts: Iterable[Attempt]
) -> "asyncio.Future[list[Reservation | RateLimited]]":
    """Reserve all of them concurrently, half of them on each node."""
    limiters: list[RateLimiter] = [it.rate_limiter for it in nodes]
    return asyncio.gather(*(limiters[number % 2].reserve(it) for number, it in enumerate(attempts)))


def allowed(outcomes: Iterable[Reservation | RateLimited]) -> int:
    return [isinstance(it, Reservation) for it in outcomes].count(True)


@pytest.mark.requirement("A24", "K07")
async def test_two_nodes_allow_together_what_one_would(nodes: Nodes) -> None:
    assert allowed(await reserve_on_both_nodes(nodes, [attempt()] * 200)) == 10


@pytest.mark.postgresql
@pytest.mark.requirement("A24", "K07")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_nodes_that_wait_for_one_bucket_at_once_allow_together_what_one_would(
    nodes: Nodes, locks: PostgresqlContention
) -> None:
    for number in range(10):
        with locks.locked_tables("throttle_buckets"):
            waiting = reserve_on_both_nodes(nodes, [attempt(b"account %d" % number)] * 50)
            await until(lambda: locks.waiting_connections() >= 2, "two nodes waiting for the buckets")

        assert allowed(await waiting) == 10


async def test_buckets_reserved_in_any_order_on_two_nodes_never_deadlock(nodes: Nodes) -> None:
    limits = [Limit("account", bytes([number]), BackoffPolicy(100, 30, 3600)) for number in range(8)]

    outcomes = await reserve_on_both_nodes(
        nodes, (Attempt(tuple(limits[it % 8 :] + limits[: it % 8])) for it in range(64))
    )

    assert allowed(outcomes) == 64


async def test_counts_and_known_sources_outlast_a_restart(database_url: str) -> None:
    async with running(settings_for(database_url)) as before:
        before.add_user()
        app = before.add_client()
        await before.log_in(app)
        await asyncio.gather(*(before.rate_limiter.reserve(attempt()) for _ in range(10)))

    async with running(settings_for(database_url)) as after:
        assert isinstance(await after.rate_limiter.reserve(attempt()), RateLimited)
        stranger = from_address(after, "198.51.100.7")
        assert {(await stranger.token(app, None, **WRONG)).status_code for _ in range(20)} == {400}
        assert await after.log_in(app)


@on_sqlite
async def test_a_cached_refusal_causes_no_statement_and_a_refresh_counts_nothing(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    await asyncio.gather(*(jeton.token(app, None, **WRONG) for _ in range(12)))

    with statements_of(jeton) as sent:
        assert {(await jeton.token(app, None, **WRONG)).status_code for _ in range(5)} == {400}
    assert not [it for it in sent if "users" in it or "throttle" in it]

    with statements_of(jeton) as sent:
        await jeton.refreshed(app, token)
    assert any("families" in it for it in sent)
    assert not [it for it in sent if "throttle" in it]


@on_sqlite
async def test_unknown_names_and_addresses_share_a_bounded_number_of_buckets(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.login.login_rate_limits._UNKNOWN_NAME_BUCKETS", 16)
    monkeypatch.setattr("jeton.login.address_limits._BUCKETS", (32, 16, 8))
    client, limits = jeton.add_client().client, jeton.login.limits

    logins = [
        LoginRequest(f"user{it}", client.client_id, Source(f"2001:db8:{it % 50}:{it // 50:x}00::")) for it in range(600)
    ]
    await asyncio.gather(*(limits.reserve(login, None) for login in logins))

    assert jeton.count(throttle_buckets) == 16 + 32 + 16 + 8 + 1


async def test_buckets_are_deleted_once_they_hold_nothing(jeton: Running, app: App) -> None:
    await jeton.token(app, None, **WRONG)

    counts = [jeton.count(throttle_buckets)]
    for seconds in (3600, 366 * 86400):
        jeton.clock.advance(seconds)
        jeton.purge.delete_expired()
        counts.append(jeton.count(throttle_buckets))

    assert counts == [3, 1, 0]
