"""The connections of one process: their maximum number and their deadlines."""

import asyncio
import time
from collections import OrderedDict
from typing import Final, Protocol

import structlog

SWEEP_SECONDS: Final = 0.5
_LOG_SECONDS: Final = 60

log = structlog.get_logger("jeton.http")


class TrackedConnection(Protocol):
    """A connection, as the table sees it. `deadline` is a time of the event loop."""

    deadline: float

    def expire(self) -> None: ...
    def abort(self) -> None: ...


class ConnectionTable:
    """Limits the number of connections and enforces their deadlines.

    One timer checks all of them: a timer for each would have to be reset with every request.
    """

    def __init__(self, max_connections: int, loop: asyncio.AbstractEventLoop) -> None:
        self._max = max_connections
        self._loop = loop
        self._open: set[TrackedConnection] = set()
        # Connections without a request in progress, longest waiting first.
        self._waiting: OrderedDict[TrackedConnection, None] = OrderedDict()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._logged_at = -float(_LOG_SECONDS)
        self._rejected = 0

    def admit(self, connection: TrackedConnection) -> bool:
        """Add a new connection. At the limit, close the one that has waited longest; return False if none waits."""
        if len(self._open) >= self._max:
            self._rejected += 1
            self._log_limit()
            if not self._waiting:
                return False
            oldest, _ = self._waiting.popitem(last=False)
            self._open.discard(oldest)
            oldest.abort()
        self._open.add(connection)
        self._waiting[connection] = None
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        return True

    def begin_request(self, connection: TrackedConnection) -> None:
        """Mark a connection as busy: it is not closed to make room."""
        self._waiting.pop(connection, None)

    def end_request(self, connection: TrackedConnection) -> None:
        """Mark a connection as waiting for its next request."""
        self._waiting[connection] = None

    def remove(self, connection: TrackedConnection) -> None:
        """Remove a closed connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in [it for it in self._open if it.deadline < now]:
            connection.expire()
        self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._open else None

    def _log_limit(self) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_SECONDS:
            log.warning("connection_limit_reached", limit=self._max, turned_away=self._rejected)
            self._logged_at, self._rejected = now, 0
