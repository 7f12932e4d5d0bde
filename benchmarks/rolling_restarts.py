"""Two rolling restarts under load: no request fails.

Two workers on PostgreSQL. SIGHUP replaces them one by one, twice, while sessions refresh without a pause: over a new
connection for each request, then over connections that stay open. A request fails if it has no response, or another
status than 200. The exit status is 0 if none failed. `PYTHONPATH=tests python benchmarks/rolling_restarts.py`.
"""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from servers import migrate_database
from support.postgresql import postgresql_cluster
from support.refresh_load import Load, add_accounts, assert_nothing_lost_or_doubled, refresh_load
from support.server_processes import ServerProcess, server_process

RESTARTS: Final = 2
SESSIONS: Final = 16
_RESTART_SECONDS: Final = 120


async def restart(load: Load, server: ServerProcess) -> None:
    """Replace both workers under load."""
    before = server.workers

    def are_replaced() -> bool:
        now = server.workers
        return len(now) == len(before) and not now & before

    async with load.running():
        await load.until_answered(1)
        server.signal(signal.SIGHUP)
        await load.until(are_replaced, "the workers replaced", _RESTART_SECONDS)
        await load.until_answered(1)


async def run(server: ServerProcess, url: str, secret: str, *, keeps_alive: bool) -> int:
    """Print the figures. Return how many requests failed."""
    async with refresh_load([server.url], secret, keeps_alive=keeps_alive) as load:
        await load.log_in(SESSIONS)
        for _ in range(RESTARTS):
            await restart(load, server)
    assert_nothing_lost_or_doubled(url, load.sessions)
    failed = len(load.losses) + load.statuses.total() - load.statuses[200]
    how = "connections that stay open" if keeps_alive else "a new connection each"
    print(f"{RESTARTS} rolling restarts, {how}: {load.statuses.total()} requests, {failed} failed", flush=True)
    print(*sorted(set(load.losses)), sep="\n", end="")
    return failed


async def main() -> int:
    with tempfile.TemporaryDirectory(prefix="jeton-restarts-") as folder, postgresql_cluster() as url:
        migrate_database(url)
        secret = add_accounts(url)
        with server_process(Path(folder), url, "--workers", "2") as server:
            failed = [await run(server, url, secret, keeps_alive=it) for it in (False, True)]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
