"""The clock: all nodes use the time of the database (ADR 0004, ADR 0021)."""

import time
from typing import Final

from sqlalchemy import Connection, text

_POSTGRESQL_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")
# Advances while the machine is suspended, if the system has such a clock.
_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# More than slewing can correct between two readings, and less than the shortest useful token lifetime.
_SUSPENDED_SECONDS: Final = 5
_JUMP_SECONDS: Final = 60
_DISTRUST_SECONDS: Final = 3600


class Clock:
    """The database's time in whole seconds since the epoch.

    Between two readings of the database, time is measured by a clock that steps of this machine's wall clock do not
    change.
    """

    def __init__(self) -> None:
        self._offset = time.time() - _uptime()
        self._wall_offset: float | None = None
        self._steady_from = float("-inf")

    def now(self) -> int:
        return int(_uptime() + self._offset)

    @property
    def is_certain(self) -> bool:
        """Whether this process has run without interruption since the clock was last set.

        While the machine is suspended, the wall clock runs ahead of the monotonic one; when a paused virtual machine
        resumes, it is set. The time and the signing keys that were read before may then be outdated.
        """
        return self._wall_offset is None or abs(_wall_offset() - self._wall_offset) < _SUSPENDED_SECONDS

    @property
    def is_steady(self) -> bool:
        """Whether the time is reliable enough to delete rows by: it has not jumped ahead within the last hour."""
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
