"""Reads the metrics that the database knows, at a fixed interval: a scrape reads nothing."""

import math
from typing import Final

import structlog
from prometheus_client import Gauge

from jeton.background.repeated_work import repeat
from jeton.observability.metrics import (
    KEY_ACTIVATED,
    KEY_ROTATION,
    MEASURED,
    OLDEST_EXPIRED,
    OLDEST_ROW,
    ROWS,
)
from jeton.rules.key_lifecycle import KeyTimings, SigningKey, rotation_at
from jeton.rules.key_series import active_keys, by_series
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger.replay_store import MAX_ROWS
from jeton.storage.measurements import count_rows, count_waiting_logouts, oldest_expired
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.single_uses import count_single_uses
from jeton.storage.task_thread import TaskThread

_INTERVAL_SECONDS: Final = 15
# More rows of one kind take too long to count.
_MAX_COUNTED: Final = 100_000

log = structlog.get_logger("jeton.measurements")


class Measurements:
    """What the database holds, for metrics. Every process reads it; they say the same."""

    def __init__(self, database: Database, clock: Clock, key_timings: KeyTimings) -> None:
        self._database = database
        self._clock = clock
        self._key_timings = key_timings
        self._key_times: set[Gauge] = set()
        # With a thread of its own: nothing else waits for it.
        self._thread = TaskThread("measurements")

    def read(self) -> None:
        """Set the metrics. Raise StorageUnavailableError if the database cannot be read."""
        now = self._clock.now()
        with self._database.read() as connection:
            self._set_key_metrics(load_signing_keys(connection))
            for kind, count in count_rows(connection, now, _MAX_COUNTED).items():
                ROWS.labels(kind).set(count)
            ROWS.labels("replay_store").set(count_single_uses(connection, MAX_ROWS))
            waiting, oldest = count_waiting_logouts(connection, _MAX_COUNTED)
            ROWS.labels("logout_outbox").set(waiting)
            OLDEST_ROW.labels("logout_outbox").set(0 if oldest is None else now - oldest)
            for table, seconds in oldest_expired(connection, now).items():
                OLDEST_EXPIRED.labels(table).set(seconds)
        MEASURED.labels("database").set(now)

    def _set_key_metrics(self, keys: list[SigningKey]) -> None:
        times = {
            KEY_ACTIVATED.labels(series, active.algorithm): active.activated_at or 0
            for series, active in active_keys(keys).items()
        }
        times |= {
            KEY_ROTATION.labels(series): rotation_at(of_it, self._key_timings)
            for series, of_it in by_series(keys).items()
        }
        # Of keys and series that have ended. Workers cannot remove a value from what they share.
        for gauge in self._key_times.difference(times):
            gauge.set(math.nan)
        for gauge, at in times.items():
            gauge.set(at)
        self._key_times.update(times)

    async def run(self) -> None:
        """Read at each interval until cancelled. Log failures and continue."""
        await repeat(_INTERVAL_SECONDS, lambda: self._thread(self.read), log, "measurements_failed")

    def close(self) -> None:
        self._thread.close()
