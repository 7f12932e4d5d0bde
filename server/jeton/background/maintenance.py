"""What a server process does besides answering: follow the database, and forget what is past."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.private_key import KeyStoreError
from jeton.endpoints.status_lists import StatusLists
from jeton.keys.key_rotation import Rotation
from jeton.keys.keyring import Keyring
from jeton.rules.key_lifecycle import STALE_SECONDS, SigningKey
from jeton.storage.batching import Batcher
from jeton.storage.client_capabilities import ClientCapabilities, load_client_capabilities
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.families import delete_expired_families, forget_ended_families
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limit_buckets import delete_expired_buckets
from jeton.storage.revoked_access_tokens import delete_expired_access_tokens
from jeton.storage.revoked_statuses import delete_expired_statuses, load_revoked_indexes
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.status_index_allocator import load_next_status_index
from jeton.storage.write_probe import accepts_writes

_LOOK_SECONDS: Final = 2
_PROBE_SECONDS: Final = 5
_RECENT_SECONDS: Final = 0.1
_FORGET_SECONDS: Final = 60
# Rows of one table in one transaction: few enough that nobody notices the wait for it.
_FORGET_AT_MOST: Final = 500

_FORGETTING: Final = (
    *(delete_expired_access_tokens, delete_expired_families, forget_ended_families),
    *(delete_expired_statuses, delete_expired_buckets),
)

log = structlog.get_logger("jeton.upkeep")


class Maintenance:
    """Looks every two seconds, so that what a command changes is in effect here within five."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keyring: Keyring,
        records: Lookups,
        rotation: Rotation,
        status_lists: StatusLists | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._records = records
        self.rotation = rotation
        self.status_lists = status_lists
        self._looked_at: float | None = None
        self._can_write = True
        self._probed_at = float("-inf")
        self._gather = Batcher[Callable[[], object], object]("upkeep", lambda tasks: [task() for task in tasks])
        self.announced = ClientCapabilities()

    @property
    def unready_reason(self) -> str | None:
        """Return why no tokens can be issued now, in a fixed word; None if they can."""
        if self._looked_at is None or time.monotonic() - self._looked_at >= STALE_SECONDS:
            return "database_unavailable"
        if not self._can_write:
            return "database_not_writable"
        return None if self._keyring.can_sign else "no_signing_key"

    async def reload_keys(self) -> None:
        """Read the signing keys now unless that was done a moment ago; callers at the same time share one reading.

        Raises StorageUnavailableError if they cannot be read, or do not open here.
        """
        try:
            await self._gather(self._reload_keys)
        except (MasterKeyError, KeyStoreError) as error:
            raise StorageUnavailableError(str(error)) from error

    def _reload_keys(self) -> None:
        if self._keyring.unseen_seconds > _RECENT_SECONDS:
            read_at = time.monotonic()
            with self._database.read() as connection:
                keys = load_signing_keys(connection)
            self._follow_keys(keys, read_at)

    def look(self) -> None:
        """Read the time, the signing keys, what is announced and what has ended; rotate keys that are due.

        Forgets remembered clients. Raises MasterKeyError or KeyStoreError, after all else is done, if the key that
        signs does not open here.
        """
        looked_at, was_steady = time.monotonic(), self._clock.is_steady
        with self._database.read() as connection:
            self._clock.follow(connection)
            can_write = self._database.can_write(connection)
            keys = load_signing_keys(connection)
            self.announced = load_client_capabilities(connection)
            if self.status_lists is not None:
                now = self._clock.now()
                self.status_lists.follow(load_revoked_indexes(connection, now), load_next_status_index(connection), now)
        if was_steady and not self._clock.is_steady:
            log.error("clock_jumped_ahead", detail="nothing is deleted and no key rotated by itself for an hour")
        if not can_write:
            self._database.reconnect()
        self._records.clear_client_cache()
        self._looked_at = looked_at
        # All else is done although this fails, which is then tried again.
        try:
            self._follow_keys(keys, looked_at)
        finally:
            self._can_write = can_write and self._accepts_writes()

    def _accepts_writes(self) -> bool:
        """Whether a write succeeded within the last seconds."""
        if self._can_write and time.monotonic() - self._probed_at < _PROBE_SECONDS:
            return True
        self._probed_at = time.monotonic()
        return accepts_writes(self._database)

    def _follow_keys(self, keys: list[SigningKey], looked_at: float) -> None:
        keys = self.rotation.correct(self.rotation.promise(keys))
        self._keyring.follow(keys, looked_at)
        self._keyring.probe()
        if self._clock.is_steady and self.rotation.is_due(keys):
            self._keyring.follow(self.rotation.rotate_when_due(), looked_at)
            log.info("signing_keys_rotated", kid=self._keyring.signer.kid)

    def forget(self) -> int:
        """Delete all that nothing can refer to any more; return how many rows."""
        deleted = self.forget_keys()
        while batch := self.forget_batch():
            deleted += batch
        return deleted

    def forget_keys(self) -> int:
        """Delete signing keys that are gone; return how many. None while the clock may be wrong."""
        return self.rotation.forget() if self._clock.is_steady else 0

    def forget_batch(self) -> int:
        """Delete a bounded number of other rows, each table's in a transaction of its own; return how many."""
        if not self._clock.is_steady:
            # What a wrong clock deletes is gone for good.
            return 0
        now, deleted = self._clock.now(), 0
        for forget in _FORGETTING:
            with self._database.write() as connection:
                deleted += forget(connection, now, _FORGET_AT_MOST)
        return deleted

    def close(self) -> None:
        self._gather.close()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(_LOOK_SECONDS, self._look))
            tasks.create_task(self._repeat(_FORGET_SECONDS, self._forget))

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Log what fails, and try again at the next time."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except (StorageUnavailableError, MasterKeyError, KeyStoreError) as error:
                log.error("upkeep_failed", reason=type(error).__name__, detail=str(error))
            except Exception:
                log.exception("upkeep_failed")

    async def _look(self) -> None:
        await self._gather(self.look)

    async def _forget(self) -> None:
        """Until nothing is left. After each batch, requests and looks have as long for themselves as it took."""
        await self._gather(self.forget_keys)
        began = time.monotonic()
        while await self._gather(self.forget_batch):
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()
