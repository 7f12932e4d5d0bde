"""Write probe: checks that the database accepts writes, by writing one row."""

from typing import Final

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.tables import status_counter

_TOUCH: Final = update(status_counter).values(next_index=status_counter.c.next_index)


def accepts_writes(database: Database) -> bool:
    """Return False if a write fails: on a full disk, a read-only file system, a standby."""
    try:
        with database.write() as connection:
            connection.execute(_TOUCH)
    except StorageUnavailableError:
        return False
    except DBAPIError:
        # Another transaction has locked the row: so it can write.
        return True
    return True
