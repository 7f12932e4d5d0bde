"""Signing keys of a server process: re-read, rotated when due, and begun for ID tokens."""

import time
from collections.abc import Collection
from typing import Final

import structlog

from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.master_key import MasterKeyError
from jeton.keys.key_rotation import KeyRotation
from jeton.keys.keyring import Keyring
from jeton.rules.key_lifecycle import SigningKey
from jeton.rules.key_series import active_keys
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.task_thread import TaskThread

_RECENT_SECONDS: Final = 0.1

log = structlog.get_logger("jeton.maintenance")


class KeyRefresh:
    """Keeps the keyring as the database is. `thread` is that of the maintenance, so that updates are in order."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keyring: Keyring,
        rotation: KeyRotation,
        thread: TaskThread,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self.rotation = rotation
        self._thread = thread
        self._id_token_algorithms: Collection[str] = ()
        self._lacks_id_token_keys = False

    @property
    def can_sign(self) -> bool:
        return self._keyring.can_sign

    async def reload(self) -> None:
        """Read the signing keys unless they were read a moment ago. Concurrent callers share one read.

        Raise StorageUnavailableError if the keys cannot be read or opened.
        """
        try:
            await self._thread(self._reload)
        except (MasterKeyError, KeyStoreError) as error:
            raise StorageUnavailableError(str(error)) from error

    def _reload(self) -> None:
        if self._keyring.seconds_since_read > _RECENT_SECONDS:
            read_at = time.monotonic()
            with self._database.read() as connection:
                keys = load_signing_keys(connection)
            self._update(keys, read_at)

    def update(self, keys: list[SigningKey], id_token_algorithms: Collection[str], read_at: float) -> None:
        """Update the keyring to the keys of the database, and rotate them if due.

        `id_token_algorithms` are those that clients need ID tokens of; `read_at` is a monotonic time. Raise
        MasterKeyError or KeyStoreError if an active key cannot be opened.
        """
        self._id_token_algorithms = id_token_algorithms
        self._update(keys, read_at)

    def _update(self, keys: list[SigningKey], read_at: float) -> None:
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
            begun = self.rotation.ensure_id_token_keys(keys, self._id_token_algorithms)
        except KeyStoreError as error:
            if not self._lacks_id_token_keys:
                log.error("id_token_key_not_created", detail=str(error))
            self._lacks_id_token_keys = True
        else:
            self._lacks_id_token_keys = False
            if begun is not keys:
                self._keyring.update(begun, read_at)
