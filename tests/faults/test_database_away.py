"""PostgreSQL gone or hung under load (RFC 7009 section 2.2.1, ASVS 16.5): 503, nothing spent, nobody logged out."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx2
import pytest

from jeton.http.dispatch import DEADLINE_SECONDS
from support.crashable_postgresql import Cluster
from support.lock_contention import OnPostgresql, until
from support.refresh_load import Load, Session, add_accounts, assert_nothing_lost_or_doubled, load_on, place_of, stored
from support.server_processes import server_process

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("C10", "O19")]

RECOVERY_SECONDS: Final = 10


def assert_temporary(response: httpx2.Response) -> None:
    """RFC 9110 section 15.6.4: come back in a moment. Nothing is said of the token."""
    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["cache-control"] == "no-store"


async def ask_for_everything(load: Load, resting: Sequence[Session]) -> list[httpx2.Response]:
    """A refresh without a key, a revocation and an introspection, all at once."""
    requests = [
        load.refresh(resting[0]),
        load.post("/oauth/revoke", resting[1].token),
        load.post("/oauth/introspect", resting[2].token),
    ]
    return await asyncio.gather(*requests)


async def open_connections(load: Load, resting: Sequence[Session], third: OnPostgresql) -> None:
    """Until the server holds two at least: what then hangs is a transaction, and not the way to one."""
    async with third.holding("family", place_of(resting[0].token)[0]):
        waiting = asyncio.ensure_future(load.refresh(resting[0]))
        await until(lambda: third.waiting() == 1, "the ledger waiting on a connection of its own")
        await load.post("/oauth/introspect", resting[1].token)
    assert (await waiting).status_code == 200
    assert third.connected() >= 2


async def assert_lives_on(load: Load, resting: Sequence[Session]) -> None:
    """Each session, asked without a key, as if nothing had been."""
    for session in resting:
        response = await load.refresh(session)
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("mode", ["fast", "immediate"], ids=["stopped", "crashed"])
async def test_while_the_database_is_away_nothing_is_spent_and_afterwards_all_sessions_go_on(
    own_cluster: Cluster, own_postgresql_url: str, tmp_path: Path, mode: str
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url) as server:
        async with load_on([server.url], secret) as load:
            busy = await load.log_in(6)
            resting = await load.log_in(3, sends_keys=False)
            load.sessions = busy
            async with load.running():
                await load.until_answered(3)
                own_cluster.stop(mode)
                try:
                    await load.until(lambda: load.statuses[503] > 20, "20 answers of 503")
                    for _ in range(2):
                        for response in await ask_for_everything(load, resting):
                            assert_temporary(response)
                    assert server.answers("/livez")
                    assert server.answers("/.well-known/jwks.json")
                finally:
                    own_cluster.start()
                await load.until_answered(3)

            assert load.statuses.keys() == {200, 503}
            assert load.losses == []
            await assert_lives_on(load, resting)
            assert_nothing_lost_or_doubled(own_postgresql_url, [*busy, *resting])
            assert server.answers("/readyz")


async def test_while_the_database_hangs_callers_are_told_in_time_and_nothing_is_spent(
    own_cluster: Cluster, own_postgresql_url: str, tmp_path: Path
) -> None:
    secret, third = add_accounts(own_postgresql_url), OnPostgresql(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url) as server:
        async with load_on([server.url], secret) as load:
            resting = await load.log_in(3, sends_keys=False)
            await open_connections(load, resting, third)
            own_cluster.hang()
            try:
                asked_at = time.monotonic()
                responses = await ask_for_everything(load, resting)
                waited = time.monotonic() - asked_at
                assert server.answers("/.well-known/jwks.json")
            finally:
                own_cluster.resume()

            for response in responses:
                assert_temporary(response)
            assert waited < DEADLINE_SECONDS + 2
            await load.until(lambda: server.answers("/readyz"), "ready again", RECOVERY_SECONDS)
            await assert_lives_on(load, resting)
            assert [it.revoked_at for it in stored(own_postgresql_url, resting)] == [None] * 3
    third.close()


async def test_sessions_under_load_survive_a_hung_database(
    own_cluster: Cluster, own_postgresql_url: str, tmp_path: Path
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url) as server:
        async with load_on([server.url], secret) as load:
            await load.log_in(6)
            async with load.running():
                await load.until_answered(3)
                own_cluster.hang()
                try:
                    await load.until(lambda: load.statuses[503] >= 6, "all sessions told to come back")
                finally:
                    own_cluster.resume()
                await load.until_answered(3)

            assert load.statuses.keys() == {200, 503}
            assert_nothing_lost_or_doubled(own_postgresql_url, load.sessions)
