"""A status list of a million sessions, 10,000 of them ended: its size, and its cost for server and service.

`PYTHONPATH=tests python benchmarks/status_list.py`, or `make bench`. SQLite; processor time of one process, medians.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Final

from jeton.oauth.token_status_list import RevokedStatus
from jeton.storage.revoked_statuses import insert_revoked_statuses
from jeton.storage.status_index_allocator import allocate_status_indexes
from jeton_client.status_list import decode_status_list
from support.in_process_server import ISSUER, START, Running, running, settings_for
from support.status_lists import status_list

SESSIONS: Final = 1_000_000
ROUNDS: Final = 15


def cost(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Return the processor time of `work` in milliseconds: the median of several rounds, each after `before`."""
    taken = []
    for _ in range(ROUNDS):
        before()
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return 1000 * statistics.median(taken)


class Ending:
    """Sessions that end, in a random order."""

    def __init__(self, jeton: Running) -> None:
        self._database = jeton.database
        self._order = random.Random(1).sample(range(SESSIONS), SESSIONS)
        self.ended = 0

    def end(self, sessions: int) -> None:
        """End this number of sessions, for longer than the benchmark takes."""
        chosen = self._order[self.ended : self.ended + sessions]
        with self._database.write() as connection:
            insert_revoked_statuses(connection, [RevokedStatus(it, START + 86400) for it in chosen])
        self.ended += sessions


async def measure(jeton: Running, ending: Ending, ended: int) -> None:
    """Print one row of the table."""
    ending.end(ended - ending.ended)
    look = jeton.shared_state.refresh
    look()
    size = len((await jeton.http.get("/oauth/status/0")).content)
    members = (await status_list(jeton, f"{ISSUER}/oauth/status/0"))["status_list"]
    statuses = decode_status_list(members)
    asked = cost(lambda: [statuses.status(it) for it in range(100_000)]) / 100
    costs = [cost(look), cost(look, lambda: ending.end(1)), cost(lambda: decode_status_list(members)), asked]
    print(f"| {ended:,} | {size:,} | " + " | ".join(f"{it:.2f}" for it in costs) + " |")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running(settings_for(f"sqlite:///{folder}/jeton.db")) as jeton:
            with jeton.database.write() as connection:
                allocate_status_indexes(connection, SESSIONS)
            ending = Ending(jeton)
            print(f"{SESSIONS:,} sessions in one list\n")
            print(
                "| ended | bytes | unchanged refresh, ms | changed refresh, ms | decode in a service, ms | lookup, us |"
            )
            print("|---|---|---|---|---|---|")
            for ended in (0, 100, 1_000, 10_000, 100_000):
                await measure(jeton, ending, ended)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
