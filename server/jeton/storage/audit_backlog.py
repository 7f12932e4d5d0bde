"""Events that change nothing, such as failed sign-ins: a bounded number is recorded, and later, by background work.

Nobody waits for it: the time of an answer must not tell whether an account exists.
"""

from collections import Counter, deque
from typing import Final

from jeton.oauth.audit_events import AuditEvent
from jeton.observability.origin import Origin, current_origin
from jeton.storage.audit_trail import record_all
from jeton.storage.clock import Clock
from jeton.storage.database import Database

# In each hour, in each process: of one account or network, and of all.
MAX_OF_ONE: Final = 20
MAX_OF_ALL: Final = 10_000
_HOUR: Final = 3600


class AuditBacklog:
    """Events that wait to be recorded."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._hour = 0
        self._counts = Counter[str]()
        self._total = 0
        self._waiting = deque[tuple[AuditEvent, Origin]]()

    def add(self, event: AuditEvent, about: str | None) -> None:
        """Record the event soon, unless there were too many in this hour `about` the same account or network."""
        if self._database.audit_trail is None:
            return
        hour = self._clock.now() // _HOUR
        if hour != self._hour:
            self._hour, self._counts, self._total = hour, Counter(), 0
        key = about or ""
        if self._counts[key] < MAX_OF_ONE and self._total < MAX_OF_ALL:
            self._counts[key] += 1
            self._total += 1
            self._waiting.append((event, current_origin.get()))

    def write(self) -> None:
        """Record what is waiting. If that fails, it waits on."""
        events = list(self._waiting)
        if events:
            with self._database.write() as connection:
                record_all(connection, events)
            for _ in events:
                self._waiting.popleft()
