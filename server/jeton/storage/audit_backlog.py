"""Events that change nothing, such as failed sign-ins: a bounded number is recorded, and later, by background work.

No request waits for it: the time of an answer must not tell whether an account exists.
"""

from collections import Counter, deque
from typing import Final

from jeton.oauth.audit_events import AuditEvent
from jeton.observability.origin import Origin, current_origin
from jeton.storage.audit_trail import record_all
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.users import load_users

# In each hour, in each process: events of one kind about one account or network, and about all.
MAX_OF_ONE: Final = 20
MAX_OF_ALL: Final = 10_000
_HOUR: Final = 3600


class AuditBacklog:
    """Events that wait to be recorded."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._hour = 0
        # Each kind has its own: no number of error pages hides a failed sign-in.
        self._counts = Counter[tuple[str, str | None]]()
        self._totals = Counter[str]()
        self._waiting = deque[tuple[AuditEvent, Origin]]()

    def add(self, event: AuditEvent, about: str | None) -> None:
        """Record the event soon, unless there were too many of its kind in this hour `about` one account or network.

        While the database cannot be written, no more wait than may be recorded in an hour.
        """
        if self._database.audit_trail is None:
            return
        hour = self._clock.now() // _HOUR
        if hour != self._hour:
            self._hour, self._counts, self._totals = hour, Counter(), Counter()
        kind, key = event.event, (event.event, about)
        has_room = self._totals[kind] < MAX_OF_ALL and len(self._waiting) < MAX_OF_ALL
        if self._counts[key] < MAX_OF_ONE and has_room:
            self._counts[key] += 1
            self._totals[kind] += 1
            self._waiting.append((event, current_origin.get()))

    def write(self) -> None:
        """Record what is waiting, but nothing about users who were deleted since. If that fails, it waits on."""
        events = list(self._waiting)
        if events:
            with self._database.write() as connection:
                known = load_users(connection, {it.sub for it, _ in events if it.sub is not None})
                record_all(connection, [it for it in events if it[0].sub is None or it[0].sub in known])
            for _ in events:
                self._waiting.popleft()
