"""Whether the database can be written, found out by writing one row."""

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
        # Somebody else holds the row: then they can write.
        return True
    return True
