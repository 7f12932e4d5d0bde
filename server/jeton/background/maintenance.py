"""Background work of a server process: refresh shared state every two seconds, delete expired rows every minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import structlog

from jeton.background.purge import Purge
from jeton.background.repeated_work import repeat
from jeton.background.shared_state import SharedState
from jeton.storage.audit_backlog import AuditBacklog
from jeton.storage.database import StorageUnavailableError
from jeton.storage.task_thread import TaskThread

_REFRESH_SECONDS: Final = 2
_PURGE_SECONDS: Final = 60
_BACKLOG_SECONDS: Final = 1
_CEILING_SECONDS: Final = 1
# Pause after a deletion, as a multiple of its duration: requests keep the processors and SQLite's only write lock.
_PAUSE_FACTOR: Final = 19

log = structlog.get_logger("jeton.maintenance")


class Maintenance:
    """Runs the maintenance while the server serves.

    What the server cannot be without is done in `thread`; in `housekeeping`, what may take as long as there are rows.
    """

    def __init__(
        self,
        shared_state: SharedState,
        purge: Purge,
        audit_backlog: AuditBacklog,
        thread: TaskThread,
        housekeeping: TaskThread,
    ) -> None:
        self._shared_state = shared_state
        self._purge = purge
        self._audit_backlog = audit_backlog
        self._thread = thread
        self._housekeeping = housekeeping

    def close(self) -> None:
        """Record what is still to be recorded."""
        self._housekeeping.close()
        self._thread.close()
        try:
            self._audit_backlog.write()
        except StorageUnavailableError as error:
            log.error("maintenance_failed", reason=type(error).__name__, detail=str(error))

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for seconds, work in self._works():
                tasks.create_task(repeat(seconds, work, log, "maintenance_failed"))

    def _works(self) -> Iterator[tuple[float, Callable[[], Awaitable[object]]]]:
        """Yield each work, and the seconds between one time and the next."""
        yield _REFRESH_SECONDS, lambda: self._thread(self._shared_state.refresh)
        yield _CEILING_SECONDS, lambda: self._housekeeping(self._shared_state.apply_ceiling)
        yield _PURGE_SECONDS, self._delete_expired
        yield _BACKLOG_SECONDS, lambda: self._thread(self._audit_backlog.write)

    async def _delete_expired(self) -> None:
        """Delete expired rows until none is left, for a twentieth of the time."""
        await self._thread(self._purge.delete_expired_keys)
        began = time.monotonic()
        while await self._housekeeping(self._purge.delete_expired_batch):
            await asyncio.sleep(_PAUSE_FACTOR * (time.monotonic() - began))
            began = time.monotonic()
