"""Status indexes: handed out once each, to sessions by every process at once, and to clients (ADR 0009)."""

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


def allocate_status_indexes(connection: Connection, count: int) -> range:
    """So many that nobody had before and nobody will have again."""
    end: int = connection.execute(_TAKE, {"count": count}).scalar_one()
    return range(end - count, end)


def load_next_status_index(connection: Connection) -> int:
    """The first that was not taken yet."""
    return int(connection.execute(select(status_counter.c.next_index)).scalar_one())


class StatusIndexAllocator:
    """What this process has taken and not used yet: one statement for thousands of logins.

    `shuffle` puts a block into an order that tells nothing about the number of logins.
    """

    def __init__(self, database: Database, shuffle: Callable[[range], list[int]]) -> None:
        self._database = database
        self._shuffle = shuffle
        self._spare: list[int] = []
        self._gather = Batcher[None, int]("status-indexes", self._hand_out)

    async def take(self) -> int:
        """One, for a new session; StorageUnavailableError where there is none left and the database is away."""
        return await self._gather(None)

    def close(self) -> None:
        self._gather.close()

    def _hand_out(self, group: Sequence[None]) -> list[int]:
        if len(self._spare) < len(group):
            with self._database.write() as connection:
                block = allocate_status_indexes(connection, _BLOCK)
            self._spare += self._shuffle(block)
        return [self._spare.pop() for _ in group]
