"""What all server processes share, as this one read it last."""

import time
from typing import Final

import structlog

from jeton.background.current_ceiling import CurrentCeiling
from jeton.background.key_refresh import KeyRefresh
from jeton.endpoints.status_lists import StatusLists
from jeton.rules.key_lifecycle import STALE_SECONDS
from jeton.storage.client_capabilities import ClientCapabilities, load_client_capabilities
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger.replay_store import ReplayStore
from jeton.storage.lookups import Lookups
from jeton.storage.revoked_statuses import load_revoked_indexes
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.status_index_allocator import StatusIndexAllocator, load_next_status_index
from jeton.storage.write_probe import accepts_writes

_PROBE_SECONDS: Final = 5

log = structlog.get_logger("jeton.maintenance")


class SharedState:
    """Refreshed every two seconds, so that changes by the command line are in effect within five."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: KeyRefresh,
        lookups: Lookups,
        replay_store: ReplayStore,
        ceiling: CurrentCeiling,
        status_indexes: StatusIndexAllocator,
        status_lists: StatusLists | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._lookups = lookups
        self._replay_store = replay_store
        self.ceiling = ceiling
        self._status_indexes = status_indexes
        self.status_lists = status_lists
        self.client_capabilities = ClientCapabilities()
        self._refreshed_at: float | None = None
        self._can_write = True
        self._probed_at = float("-inf")

    @property
    def unready_reason(self) -> str | None:
        """Return why no tokens can be issued now, as a fixed word, or None if they can."""
        if self._refreshed_at is None or time.monotonic() - self._refreshed_at >= STALE_SECONDS:
            return "database_unavailable"
        if not self._can_write:
            return "database_not_writable"
        return None if self._keys.can_sign else "no_signing_key"

    def refresh(self) -> None:
        """Read the time, keys, client capabilities, open resources and revoked statuses; rotate the keys if due.

        Clear the client cache. Raise MasterKeyError or KeyStoreError, after everything else is done, if an active key
        cannot be opened; StorageUnavailableError if the database cannot be read.
        """
        read_at, was_steady = time.monotonic(), self._clock.is_steady
        with self._database.read() as connection:
            self._clock.follow(connection)
            can_write = self._database.can_write(connection)
            keys = load_signing_keys(connection)
            self._replay_store.count(connection)
            self.client_capabilities = load_client_capabilities(connection)
            self.ceiling.read(connection)
            next_index = load_next_status_index(connection)
        if was_steady and not self._clock.is_steady:
            log.error("clock_jumped_ahead", detail="no rows are deleted and no keys rotated automatically for one hour")
        if not can_write:
            self._database.reconnect()
        self._lookups.clear_client_cache()
        self._refreshed_at = read_at
        # Last, because it may raise: it is tried again at the next refresh.
        try:
            self._keys.update(keys, self.client_capabilities.id_token_algorithms, read_at)
        finally:
            self._can_write = can_write and self._accepts_writes()
            if self.status_lists is not None:
                self._update_status_lists(self.status_lists, next_index)
        if self._can_write:
            self._status_indexes.reclaim(next_index)

    def apply_ceiling(self) -> None:
        """Take from stored clients what they may not have any more. This may take long, and runs beside `refresh`."""
        if self._can_write:
            self.ceiling.apply(self._database, self._clock.now())

    def _update_status_lists(self, status_lists: StatusLists, next_index: int) -> None:
        """Read the revoked statuses in a transaction of their own: there may be a million of them.

        One that took too long would otherwise keep the server from its keys, and be idle while the lists are packed.
        """
        now = self._clock.now()
        with self._database.read() as connection:
            revoked = load_revoked_indexes(connection, now)
        status_lists.update(revoked, next_index, now)

    def _accepts_writes(self) -> bool:
        """Return whether a write succeeds now, or did so within the last seconds."""
        if self._can_write and time.monotonic() - self._probed_at < _PROBE_SECONDS:
            return True
        self._probed_at = time.monotonic()
        return accepts_writes(self._database)
