"""Background work of a server process: re-read shared state every two seconds, delete expired rows every minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import structlog
from sqlalchemy import Connection

from jeton.background.current_ceiling import CurrentCeiling
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.master_key import MasterKeyError
from jeton.endpoints.status_lists import StatusLists
from jeton.keys.key_rotation import KeyRotation
from jeton.keys.keyring import Keyring
from jeton.rules.key_lifecycle import STALE_SECONDS, SigningKey
from jeton.rules.key_series import active_keys
from jeton.storage.audit_backlog import AuditBacklog
from jeton.storage.authorization_codes import delete_expired_codes
from jeton.storage.batching import Batcher
from jeton.storage.browser_sessions import delete_expired_browser_sessions
from jeton.storage.client_capabilities import ClientCapabilities, load_client_capabilities
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.families import delete_expired_families, forget_ended_families
from jeton.storage.initial_access_tokens import delete_expired_initial_access_tokens
from jeton.storage.logout_outbox import delete_expired_logouts
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limit_buckets import delete_expired_buckets
from jeton.storage.replay_store import ReplayStore
from jeton.storage.retention import is_only_deleter
from jeton.storage.revoked_access_tokens import delete_expired_access_tokens
from jeton.storage.revoked_statuses import delete_expired_statuses, load_revoked_indexes
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.single_uses import delete_expired_single_uses
from jeton.storage.status_index_allocator import load_next_status_index
from jeton.storage.write_probe import accepts_writes

_REFRESH_SECONDS: Final = 2
_PROBE_SECONDS: Final = 5
_RECENT_SECONDS: Final = 0.1
_PURGE_SECONDS: Final = 60
_BACKLOG_SECONDS: Final = 1
# Rows of one table in one transaction: few enough that requests do not wait noticeably for it.
_MAX_ROWS: Final = 500

# Deletes at most so many rows of one table, at this time, and returns how many.
Deletion: TypeAlias = Callable[[Connection, int, int], int]
_DELETIONS: Final[tuple[Deletion, ...]] = (
    *(delete_expired_codes, delete_expired_browser_sessions),
    *(delete_expired_access_tokens, delete_expired_families, forget_ended_families),
    *(delete_expired_statuses, delete_expired_buckets, delete_expired_single_uses, delete_expired_logouts),
    delete_expired_initial_access_tokens,
)

log = structlog.get_logger("jeton.maintenance")


class Maintenance:
    """Refreshes every two seconds, so that changes by the command line are in effect within five."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keyring: Keyring,
        lookups: Lookups,
        rotation: KeyRotation,
        replay_store: ReplayStore,
        ceiling: CurrentCeiling,
        more_deletions: Sequence[Deletion],
        audit_backlog: AuditBacklog,
        status_lists: StatusLists | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._lookups = lookups
        self.rotation = rotation
        self._replay_store = replay_store
        self.ceiling = ceiling
        self._audit_backlog = audit_backlog
        self._deletions = (*_DELETIONS, *more_deletions)
        self.status_lists = status_lists
        self._refreshed_at: float | None = None
        self._can_write = True
        self._lacks_id_token_keys = False
        self._probed_at = float("-inf")
        self._batcher = Batcher[Callable[[], object], object]("maintenance", lambda tasks: [task() for task in tasks])
        self.client_capabilities = ClientCapabilities()

    @property
    def unready_reason(self) -> str | None:
        """Return why no tokens can be issued now, as a fixed word, or None if they can."""
        if self._refreshed_at is None or time.monotonic() - self._refreshed_at >= STALE_SECONDS:
            return "database_unavailable"
        if not self._can_write:
            return "database_not_writable"
        return None if self._keyring.can_sign else "no_signing_key"

    async def reload_keys(self) -> None:
        """Read the signing keys unless they were read a moment ago. Concurrent callers share one read.

        Raise StorageUnavailableError if the keys cannot be read or opened.
        """
        try:
            await self._batcher(self._reload_keys)
        except (MasterKeyError, KeyStoreError) as error:
            raise StorageUnavailableError(str(error)) from error

    def _reload_keys(self) -> None:
        if self._keyring.seconds_since_read > _RECENT_SECONDS:
            read_at = time.monotonic()
            with self._database.read() as connection:
                keys = load_signing_keys(connection)
            self._update_keyring(keys, read_at)

    def refresh(self) -> None:
        """Read the time, keys, client capabilities, open resources and revoked statuses; rotate the keys if due.

        Clear the client cache. Raise MasterKeyError or KeyStoreError, after everything else is done, if an active key
        cannot be opened.
        """
        read_at, was_steady = time.monotonic(), self._clock.is_steady
        with self._database.read() as connection:
            self._clock.follow(connection)
            can_write = self._database.can_write(connection)
            keys = load_signing_keys(connection)
            self._replay_store.count(connection)
            self.client_capabilities = load_client_capabilities(connection)
            self.ceiling.read(connection)
            if self.status_lists is not None:
                now = self._clock.now()
                self.status_lists.update(load_revoked_indexes(connection, now), load_next_status_index(connection), now)
        if was_steady and not self._clock.is_steady:
            log.error("clock_jumped_ahead", detail="no rows are deleted and no keys rotated automatically for one hour")
        if not can_write:
            self._database.reconnect()
        self._lookups.clear_client_cache()
        self._refreshed_at = read_at
        # Last, because it may raise: it is tried again at the next refresh.
        try:
            self._update_keyring(keys, read_at)
        finally:
            self._can_write = can_write and self._accepts_writes()
        if self._can_write:
            self.ceiling.apply(self._database, self._clock.now())

    def _accepts_writes(self) -> bool:
        """Return whether a write succeeds now, or did so within the last seconds."""
        if self._can_write and time.monotonic() - self._probed_at < _PROBE_SECONDS:
            return True
        self._probed_at = time.monotonic()
        return accepts_writes(self._database)

    def _update_keyring(self, keys: list[SigningKey], read_at: float) -> None:
        keys = self.rotation.correct_timestamps(self.rotation.cover_token_lifetime(keys))
        self._keyring.update(keys, read_at)
        self._keyring.check_external_keys()
        if self._clock.is_steady and self.rotation.is_due(keys):
            before, keys = keys, self.rotation.rotate_if_due()
            self._keyring.update(keys, read_at)
            for key in active_keys(keys).values():
                if key not in before:
                    log.info("signing_keys_rotated", kid=key.kid)
        self._begin_id_token_keys(keys, read_at)

    def _begin_id_token_keys(self, keys: list[SigningKey], read_at: float) -> None:
        """Publish a key for each algorithm that a client needs ID tokens of. An HSM may not support it."""
        try:
            begun = self.rotation.ensure_id_token_keys(keys, self.client_capabilities.id_token_algorithms)
        except KeyStoreError as error:
            if not self._lacks_id_token_keys:
                log.error("id_token_key_not_created", detail=str(error))
            self._lacks_id_token_keys = True
        else:
            self._lacks_id_token_keys = False
            if begun is not keys:
                self._keyring.update(begun, read_at)

    def purge_expired(self) -> int:
        """Delete expired keys and rows. Return their number."""
        deleted = self.delete_expired_keys()
        while batch := self.delete_expired_batch():
            deleted += batch
        return deleted

    def delete_expired_keys(self) -> int:
        """Delete signing keys that are gone. Return their number; 0 while the clock may be wrong."""
        return self.rotation.delete_expired() if self._clock.is_steady else 0

    def delete_expired_batch(self) -> int:
        """Delete a bounded number of expired rows, one transaction per table. Return their number.

        Delete nothing while the clock may be wrong: a deletion cannot be undone. Nor while another node deletes.
        """
        if not self._clock.is_steady:
            return 0
        now, deleted = self._clock.now(), 0
        for delete in self._deletions:
            with self._database.write() as connection:
                if not is_only_deleter(connection):
                    break
                deleted += delete(connection, now, _MAX_ROWS)
        return deleted

    def close(self) -> None:
        """Record what is still to be recorded."""
        self._batcher.close()
        try:
            self._audit_backlog.write()
        except StorageUnavailableError as error:
            log.error("maintenance_failed", reason=type(error).__name__, detail=str(error))

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(_REFRESH_SECONDS, self._refresh))
            tasks.create_task(self._repeat(_PURGE_SECONDS, self._purge))
            tasks.create_task(self._repeat(_BACKLOG_SECONDS, self._write_backlog))

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Run `work` at this interval. Log failures and continue."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except (StorageUnavailableError, MasterKeyError, KeyStoreError) as error:
                log.error("maintenance_failed", reason=type(error).__name__, detail=str(error))
            except Exception:
                log.exception("maintenance_failed")

    async def _write_backlog(self) -> None:
        await self._batcher(self._audit_backlog.write)

    async def _refresh(self) -> None:
        await self._batcher(self.refresh)

    async def _purge(self) -> None:
        """Delete expired rows until none is left. Pause after each batch for as long as it took."""
        await self._batcher(self.delete_expired_keys)
        began = time.monotonic()
        while await self._batcher(self.delete_expired_batch):
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()
