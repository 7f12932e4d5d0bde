"""A PostgreSQL cluster that fails over under load, in its synchronous and its asynchronous mode.

Three nodes with Patroni (config/deployment/patroni), and two servers: one reaches the leader through HAProxy, the other
by the addresses of all nodes. In synchronous mode, every refresh token that was delivered works afterwards, and none
twice. In asynchronous mode, commits are lost on purpose, and the consequences are counted. The exit status is 0 if
everything is as docs/operations/failover.md says. `PYTHONPATH=tests python benchmarks/failover.py`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kills import use_every_token
from servers import migrate_database
from support.patroni_cluster import FAILOVER_SECONDS, PatroniCluster, patroni_cluster
from support.refresh_load import (
    Load,
    Session,
    add_accounts,
    assert_nothing_lost_or_doubled,
    refresh_load,
    sid_and_generation,
    stored,
)
from support.server_processes import server_process

SESSIONS: Final = 8


@dataclass
class Outage:
    """The longest time without a successful refresh, in seconds, and the number of other answers."""

    longest_gap: float = 0.0
    refused: int = 0

    def __str__(self) -> str:
        return f"{self.longest_gap:.1f} s without a successful refresh, {self.refused} requests answered 503"


@asynccontextmanager
async def measured(load: Load) -> AsyncIterator[Outage]:
    """Measure the outage within the block."""
    outage, refused = Outage(), load.statuses[503]

    async def measure() -> None:
        answered, at = load.statuses[200], time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            if load.statuses[200] != answered:
                outage.longest_gap = max(outage.longest_gap, time.monotonic() - at)
                answered, at = load.statuses[200], time.monotonic()

    task = asyncio.create_task(measure())
    try:
        yield outage
    finally:
        task.cancel()
        outage.refused = load.statuses[503] - refused


async def lose_nothing(cluster: PatroniCluster, load: Load, change_leader: Callable[[], object]) -> Outage:
    """Change the leader under load: all that was delivered works, and nothing is spent twice."""
    await load.log_in(SESSIONS)
    before = cluster.leader
    async with measured(load) as outage, load.running():
        await load.until_answered(3)
        await asyncio.to_thread(change_leader)
        await asyncio.to_thread(cluster.wait_until_led_by_other_than, before)
        await load.until_answered(10, FAILOVER_SECONDS)
    assert_nothing_lost_or_doubled(cluster.url, load.sessions)
    await asyncio.to_thread(cluster.restore_all_nodes)
    await use_every_token(load, cluster.url)
    return outage


@dataclass(frozen=True)
class LostCommits:
    """What an asynchronous fail-over did."""

    outage: Outage
    newer_tokens: int
    fast_forwarded: int

    def __str__(self) -> str:
        return (
            f"{self.outage}; {self.newer_tokens} of {SESSIONS} apps held a newer token than the restored row,"
            f" {self.fast_forwarded} of them were fast-forwarded; a session that was revoked in the lost time is alive,"
            " one that was begun in it has to be begun again, and a spent token worked once more"
        )


async def lose_commits(cluster: PatroniCluster, load: Load) -> LostCommits:
    """Kill the leader while its commits do not reach the standbys. Return what became of the sessions."""
    revoked, spent, *busy = await load.log_in(2 + SESSIONS)
    first_token = spent.token
    async with measured(load) as outage:
        async with load.running(busy):
            await load.until(lambda: all(it.answered for it in busy), "an answer for each session")
            cluster.hold_replication()
            assert (await load.post("/oauth/revoke", revoked.token)).status_code == 200
            assert (await load.refresh(spent)).status_code == 200
            (begun,) = await load.log_in(1)
            answered, refused = load.statuses[200], load.statuses[503]
            await load.until(lambda: load.statuses[200] > answered + 5 * SESSIONS, "refreshes that are lost later")
            cluster.kill_leader()
            await load.until(lambda: load.statuses[503] > refused, "an outage")
        await asyncio.to_thread(cluster.wait_until_value, "SHOW transaction_read_only", "off")
        rows = stored(cluster.url, busy)
        newer = sum(sid_and_generation(it.token)[1] > row.generation for it, row in zip(busy, rows, strict=True))
        load.sessions = busy
        async with load.running():
            await load.until_answered(10, FAILOVER_SECONDS)
    assert all(it.revoked_at is None for it in stored(cluster.url, busy))
    forwarded = cluster.value_of("SELECT count(*) FROM audit_records WHERE reason = 'fast_forwarded'")
    assert 0 < newer == forwarded, (newer, forwarded)
    assert (await load.refresh(revoked)).status_code == 200
    assert (await load.refresh(begun)).json()["error"] == "invalid_grant"
    await assert_spent_once_more(load, cluster.url, spent, first_token)
    return LostCommits(outage, newer, forwarded)


async def assert_spent_once_more(load: Load, url: str, session: Session, spent: str) -> None:
    """A token that was spent in the lost time gives the same successor again; used once more, it ends the session."""
    copy = Session(spent)
    assert (await load.refresh(copy)).status_code == 200
    assert copy.token == session.token
    assert (await load.refresh(session)).status_code == 200
    copy.token = spent
    assert (await load.refresh(copy)).status_code == 400
    assert stored(url, [session])[0].revoke_reason == "refresh_token_reused"


async def run(cluster: PatroniCluster, folder: Path) -> None:
    migrate_database(cluster.url)
    secret = add_accounts(cluster.url)
    with server_process(folder, cluster.url) as one, server_process(folder, cluster.url_of_all_hosts) as two:
        # With the addresses of all nodes, a server would stay with a leader that nothing watches any more.
        for name, change_leader, urls in (
            ("switch-over", cluster.switch_over, [one.url, two.url]),
            ("leader killed", cluster.kill_leader, [one.url, two.url]),
            ("leader isolated, then killed", cluster.isolate_and_kill_leader, [one.url, two.url]),
            ("Patroni of the leader killed, through HAProxy", cluster.kill_patroni_of_leader, [one.url]),
        ):
            async with refresh_load(urls, secret) as load:
                outage = await lose_nothing(cluster, load, change_leader)
                answered = f"{load.statuses[200]} refreshes answered, none of them lost or spent twice"
                print(f"synchronous, {name}: {outage}; {answered}", flush=True)
        await asyncio.to_thread(cluster.make_asynchronous)
        async with refresh_load([one.url, two.url], secret) as load:
            print("asynchronous, leader isolated, then killed:", await lose_commits(cluster, load))


def main() -> int:
    with patroni_cluster() as cluster, tempfile.TemporaryDirectory(prefix="jeton-failover-") as folder:
        asyncio.run(run(cluster, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
