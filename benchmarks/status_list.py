"""A status list of a million sessions, 10,000 of them ended: its size, and its cost for server and service.

SQLite; processor time of one process, medians.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class StatusListCost:
    """The cost of a status list with this number of ended sessions.

    Its size; milliseconds of the server's check without a change and with one, and of parsing in a service; and
    microseconds of one lookup.
    """

    ended: int
    octets: int
    unchanged_ms: float
    changed_ms: float
    parsing_ms: float
    lookup_us: float


async def measure(jeton: Running, ending: Ending, ended: int) -> StatusListCost:
    ending.end(ended - ending.ended)
    check = jeton.shared_state.refresh
    check()
    size = len((await jeton.http.get("/oauth/status/0")).content)
    members = (await status_list(jeton, f"{ISSUER}/oauth/status/0"))["status_list"]
    statuses = decode_status_list(members)
    looked_up = cost(lambda: [statuses.status(it) for it in range(100_000)]) / 100
    costs = [cost(check), cost(check, lambda: ending.end(1)), cost(lambda: decode_status_list(members)), looked_up]
    return StatusListCost(ended, size, *(round(it, 2) for it in costs))


async def measure_status_list() -> list[StatusListCost]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(settings_for(f"sqlite:///{folder}/jeton.db")) as jeton:
            with jeton.database.write() as connection:
                allocate_status_indexes(connection, SESSIONS)
            ending = Ending(jeton)
            return [await measure(jeton, ending, ended) for ended in (0, 100, 1_000, 10_000, 100_000)]


if __name__ == "__main__":
    print(*asyncio.run(measure_status_list()), sep="\n")
