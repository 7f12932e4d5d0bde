"""Time: one clock for all nodes, the database's (ADR 0004, ADR 0021)."""

import time
from typing import Final

from sqlalchemy import Connection, text

_POSTGRESQL_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")
# Goes on while the machine is suspended, where the system has such a clock.
_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# More than any correction by slewing between two looks, and less than the shortest useful token.
_SLEPT_SECONDS: Final = 5
_JUMP_SECONDS: Final = 60
_DISTRUST_SECONDS: Final = 3600


class Clock:
    """Whole seconds since the epoch, as the database counts them.

    Between two looks at the database it goes on by a clock that no step of this machine's wall clock changes, so nodes
    agree as well as they hear the database.
    """

    def __init__(self) -> None:
        self._offset = time.time() - _uptime()
        self._wall_offset: float | None = None
        self._steady_from = float("-inf")

    def now(self) -> int:
        return int(_uptime() + self._offset)

    @property
    def is_certain(self) -> bool:
        """Whether this process has run without a gap since it last heard the database.

        The wall clock runs ahead of the monotonic one while the machine is suspended, and is set when a paused virtual
        machine goes on. What was known before, the time and the signing keys, may then be long past.
        """
        return self._wall_offset is None or abs(_wall_offset() - self._wall_offset) < _SLEPT_SECONDS

    @property
    def is_steady(self) -> bool:
        """Whether nothing speaks against deleting by this time: it has not jumped ahead within the last hour."""
        return _uptime() >= self._steady_from

    def follow(self, connection: Connection) -> None:
        """Set the clock by the database. SQLite has no other clock than this machine's."""
        on_sqlite = connection.dialect.name == "sqlite"
        database_now = time.time() if on_sqlite else float(connection.execute(_POSTGRESQL_NOW).scalar_one())
        offset = database_now - _uptime()
        if self._wall_offset is not None and offset - self._offset > _JUMP_SECONDS:
            self._steady_from = _uptime() + _DISTRUST_SECONDS
        self._offset, self._wall_offset = offset, _wall_offset()


def _uptime() -> float:
    return time.clock_gettime(_BOOT_CLOCK)


def _wall_offset() -> float:
    return time.time() - time.monotonic()
