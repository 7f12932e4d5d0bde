"""Kill -9 under load, again and again: what a client received works, and nothing is spent twice.

SQLite: the server is killed. PostgreSQL: the server and the database in turn. After each kill, the database is compared
with what clients received; at the end, each newest refresh token is used, a spent one is refused, and the files are
checked. The exit status is 0 if nothing was lost, spent twice or damaged. `PYTHONPATH=tests python
benchmarks/kills.py`.
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from servers import migrate_database
from support.crashable_postgresql import Cluster
from support.postgresql import postgresql_cluster
from support.refresh_load import Load, add_accounts, assert_nothing_lost_or_doubled, refresh_load, stored
from support.server_processes import ServerProcess, server_process

SESSIONS: Final = 8

# Kills a process and starts it again.
Kill = Callable[[ServerProcess], None]


def kill_server(server: ServerProcess) -> None:
    server.kill()
    server.start()


def kill_database(cluster: Cluster) -> Kill:
    def kill(server: ServerProcess) -> None:
        cluster.kill()
        cluster.start()
        server.wait_until_ready()

    return kill


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[str, list[Kill], Callable[[], str]]]:
    """Yield the URL of a database, what is killed in turn, and what checks its files."""
    file = folder / "jeton.db"

    def damage() -> str:
        with closing(sqlite3.connect(file)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
        return "" if found == "ok" else str(found)

    yield f"sqlite:///{file}", [kill_server], damage


@contextmanager
def postgresql(_: Path) -> Iterator[tuple[str, list[Kill], Callable[[], str]]]:
    """Yield the same for a cluster of its own, which syncs."""
    with postgresql_cluster(durable=True) as url:
        cluster = Cluster(url)
        yield url, [kill_server, kill_database(cluster)], cluster.damage


async def cycle(load: Load, server: ServerProcess, kill: Kill, url: str) -> None:
    """Kill under load once. Sessions repeat what was not answered, with its Idempotency-Key."""
    async with load.running():
        await load.until_answered(1)
        await asyncio.to_thread(kill, server)
        await load.until_answered(1)
    assert_nothing_lost_or_doubled(url, load.sessions)


async def use_every_token(load: Load, url: str) -> None:
    """Use each newest token, then a spent one: it is refused, and ends its session."""
    for session in load.sessions:
        assert (await load.refresh(session)).status_code == 200
    session = load.sessions[0]
    session.token = next(iter(session.successors))
    assert (await load.refresh(session)).status_code == 400
    assert stored(url, [session])[0].revoke_reason == "refresh_token_reused"


async def run(name: str, cycles: int) -> str:
    """Print the figures. Return what is damaged, "" if nothing is."""
    began = time.monotonic()
    kind = {"sqlite": sqlite, "postgresql": postgresql}[name]
    with tempfile.TemporaryDirectory(prefix="jeton-kills-") as folder, kind(Path(folder)) as (url, kills, check):
        migrate_database(url)
        secret = add_accounts(url)
        with server_process(Path(folder), url) as server:
            async with refresh_load([server.url], secret) as load:
                await load.log_in(SESSIONS)
                for number in range(cycles):
                    await cycle(load, server, kills[number % len(kills)], url)
                await use_every_token(load, url)
        damage = await asyncio.to_thread(check)
    answered, files = load.statuses[200], "FILES ARE DAMAGED" if damage else "files are undamaged"
    print(f"{name}: {cycles} kills in {time.monotonic() - began:.0f} s, {answered} refreshes answered,", end=" ")
    print(f"none of them lost or spent twice, {files}", flush=True)
    return damage


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100)
    cycles = parser.parse_args().cycles
    damages = [asyncio.run(run(name, cycles)) for name in ("sqlite", "postgresql")]
    print(*filter(None, damages), sep="\n", end="")
    return 1 if any(damages) else 0


if __name__ == "__main__":
    sys.exit(main())
