"""Allocation of status indexes: each is used once, by a session or a client (ADR 0009)."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from jeton.storage.batching import Batcher
from jeton.storage.database import Database
from jeton.storage.tables import status_counter

_BLOCK: Final = 4096
_TAKE = (
    update(status_counter)
    .values(next_index=status_counter.c.next_index + bindparam("count"))
    .returning(status_counter.c.next_index)
)

_RAISE = (
    update(status_counter).values(next_index=bindparam("end")).where(status_counter.c.next_index < bindparam("end"))
)


def allocate_status_indexes(connection: Connection, count: int) -> range:
    """Return `count` indexes that were never allocated before."""
    end: int = connection.execute(_TAKE, {"count": count}).scalar_one()
    return range(end - count, end)


def load_next_status_index(connection: Connection) -> int:
    """Return the first index that is not allocated yet."""
    return int(connection.execute(select(status_counter.c.next_index)).scalar_one())


class StatusIndexAllocator:
    """Allocates indexes for new sessions from blocks: one statement for thousands of logins.

    `shuffle` returns a block in an order that reveals nothing about the number of logins.
    """

    def __init__(self, database: Database, shuffle: Callable[[range], list[int]]) -> None:
        self._database = database
        self._shuffle = shuffle
        self._unused: list[int] = []
        self._end = 0
        self._batcher = Batcher[None, int]("status-indexes", self._take_many)

    async def take(self) -> int:
        """Return an unused index. Raise StorageUnavailableError if the block is used up and there is no database."""
        return await self._batcher(None)

    def reclaim(self, next_index: int) -> None:
        """Allocate the indexes of this process again if the counter is behind them.

        The database has then lost commits in a fail-over, and would give the same indexes to other processes.
        """
        if next_index < self._end:
            with self._database.write() as connection:
                connection.execute(_RAISE, {"end": self._end})

    def close(self) -> None:
        self._batcher.close()

    def _take_many(self, batch: Sequence[None]) -> list[int]:
        if len(self._unused) < len(batch):
            with self._database.write() as connection:
                block = allocate_status_indexes(connection, _BLOCK)
            self._unused += self._shuffle(block)
            self._end = block.stop
        return [self._unused.pop() for _ in batch]
