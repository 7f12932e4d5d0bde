"""Write probe: checks that the database accepts writes, by writing one row."""

from typing import Final

from sqlalchemy import select, update

from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.tables import status_counter

_LOCK: Final = select(status_counter).with_for_update(skip_locked=True)
_TOUCH: Final = update(status_counter).values(next_index=status_counter.c.next_index)


def accepts_writes(database: Database) -> bool:
    """Return False if a write fails: on a full disk, a read-only file system, a standby."""
    try:
        with database.write() as connection:
            # If another transaction has locked the row, that one can write.
            if connection.execute(_LOCK).one_or_none() is not None:
                connection.execute(_TOUCH)
    except StorageUnavailableError:
        return False
    return True
