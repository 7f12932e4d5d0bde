"""Time: one clock for all nodes, the database's."""

import time

from sqlalchemy import Connection, text

_POSTGRESQL_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")


class Clock:
    """Whole seconds since the epoch, as the database counts them.

    Between two looks at the database it goes on by the monotonic clock: a step of this machine's own clock changes
    nothing, and nodes agree as well as they hear the database.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> int:
        return int(time.monotonic() + self._offset)

    def follow(self, connection: Connection) -> None:
        """Sets itself by the database. SQLite has no other clock than this machine's."""
        on_sqlite = connection.dialect.name == "sqlite"
        database_now = time.time() if on_sqlite else float(connection.execute(_POSTGRESQL_NOW).scalar_one())
        self._offset = database_now - time.monotonic()
