"""Signing key rotation: apply the key lifecycle rules to the stored keys, one process at a time, atomically."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from jeton.crypto.key_stores import KeyStoreError, KeyStores
from jeton.rules.key_lifecycle import (
    KeyState,
    KeyTimings,
    KeyType,
    SigningKey,
    StoredKey,
    active_and_next,
    correct_timestamps,
    create_first_keys,
    create_next_key,
    drop_next_of_other_type,
    request_rotation,
    revoke,
    rotate,
    rotate_early,
    rotation_at,
)
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.signing_keys import (
    delete_signing_keys,
    insert_signing_keys,
    load_signing_keys,
    lock_signing_keys,
    longest_client_seconds,
    record_token_lifetime,
    update_signing_keys,
)

log = structlog.get_logger("jeton.key_rotation")

# Returns the changed keys, given all keys, the time, and the longest lifetime of a token in seconds.
KeyChange = Callable[[list[SigningKey], int, int], list[SigningKey]]


class KeyRotation:
    """Changes the stored signing keys.

    Methods that return keys return all of them, after the change. They raise MasterKeyError or KeyStoreError, and
    change nothing, if the active or the next key cannot be opened here.
    """

    def __init__(
        self, database: Database, clock: Clock, stores: KeyStores, timings: KeyTimings, *, longest_seconds: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._stores = stores
        self._timings = timings
        self._longest_seconds = longest_seconds

    def ensure_keys_exist(self, key_type: KeyType) -> list[SigningKey]:
        """Create an active and a next key if there are none: on the first start."""
        if not self._load():
            active, following = (self._stores.create(key_type.algorithm, key_type.rsa_bits) for _ in range(2))
            with self._exclusive_transaction() as (connection, now):
                are_first = not load_signing_keys(connection)
                if are_first:
                    insert_signing_keys(
                        connection, create_first_keys(active, following, now, self._longest(connection))
                    )
            if not are_first:
                self._discard([active, following])
        return self._load_and_open()

    def ensure_next_key_type(self, key_type: KeyType) -> list[SigningKey]:
        """Replace the next key if the settings ask for another type of key. Called when a server starts.

        After that, every process keeps the type of the stored next key: servers whose settings differ for a while must
        not undo each other's changes again and again.
        """
        keys = self.ensure_keys_exist(key_type)
        if not drop_next_of_other_type(keys, key_type):
            return keys
        return self._change(lambda keys, *_: drop_next_of_other_type(keys, key_type), key_type)

    def cover_token_lifetime(self, keys: list[SigningKey]) -> list[SigningKey]:
        """Record the longest token lifetime of this server in the active key, so that it is published long enough.

        Called before this process signs.
        """
        if active_and_next(keys)[0].longest_seconds >= self._longest_seconds:
            return keys
        with self._exclusive_transaction() as (connection, _):
            record_token_lifetime(connection, self._longest_seconds)
            return load_signing_keys(connection)

    def correct_timestamps(self, keys: list[SigningKey]) -> list[SigningKey]:
        """Correct timestamps in the future, which were set while the clock was ahead."""

        def change(keys: list[SigningKey], now: int, _: int) -> list[SigningKey]:
            return correct_timestamps(keys, now)

        if not change(keys, self._clock.now(), 0):
            return keys
        log.warning("signing_keys_have_future_timestamps", until=max(key.created_at for key in keys))
        return self._change(change)

    def is_due(self, keys: list[SigningKey]) -> bool:
        """Return whether the next key is to become active now."""
        return self._clock.now() >= rotation_at(keys, self._timings)

    def rotate_if_due(self) -> list[SigningKey]:
        """Rotate if a rotation is still due: another process may have rotated first."""

        def change(keys: list[SigningKey], now: int, longest: int) -> list[SigningKey]:
            return rotate(keys, now, self._timings, longest) if now >= rotation_at(keys, self._timings) else []

        return self._change(change)

    def request_rotation(self) -> list[SigningKey]:
        """Rotate now if the next key is ready. Otherwise a running server rotates as soon as it is."""

        def change(keys: list[SigningKey], now: int, longest: int) -> list[SigningKey]:
            is_ready = now >= active_and_next(keys)[1].ready_at
            return rotate(keys, now, self._timings, longest) if is_ready else request_rotation(keys, now)

        return self._change(change)

    def rotate_now(self) -> list[SigningKey]:
        """Rotate although caches may lack the next key. Raise KeyChangeRefusedError while a server may lack it."""
        return self._change(lambda keys, now, longest: rotate_early(keys, now, self._timings, longest))

    def revoke(self, kid: str) -> list[SigningKey]:
        """Remove the key from the key set, which ends its tokens. Raise KeyChangeRefusedError if it does not exist."""
        return self._change(lambda keys, now, longest: revoke(keys, kid, now, self._timings, longest))

    def delete_expired(self) -> int:
        """Destroy and delete keys that no token or cache refers to any more. Return their number."""
        keys, now = self._load(), self._clock.now()
        gone = [key for key in keys if key.gone_at is not None and key.gone_at <= now]
        for key in gone:
            # Before the row is deleted: if the process dies in between, the key is destroyed at the next attempt.
            self._stores.destroy(key)
        with self._database.write() as connection:
            delete_signing_keys(connection, [key.kid for key in gone])
        return len(gone)

    def _change(self, change: KeyChange, key_type: KeyType | None = None) -> list[SigningKey]:
        """Apply the changes. If no next key is left, insert a new one, of this type or of the previous one's."""
        _, following = active_and_next(self._load_and_open())
        key_type = key_type or following.key_type
        spare: StoredKey | None = None
        while True:
            with self._exclusive_transaction() as (connection, now):
                keys = load_signing_keys(connection)
                changed = change(keys, now, self._longest(connection))
                left = {key.kid: key.state for key in [*keys, *changed]}
                if spare is not None or KeyState.NEXT in left.values():
                    update_signing_keys(connection, changed)
                    if spare is not None and KeyState.NEXT not in left.values():
                        insert_signing_keys(connection, [create_next_key(spare, now, self._timings)])
                        spare = None
                    found = load_signing_keys(connection)
                    break
            # Outside the transaction: creating a 4096-bit key takes seconds, and on SQLite every writer would wait.
            spare = self._stores.create(key_type.algorithm, key_type.rsa_bits)
        self._discard([key for key in (*changed, spare) if key is not None and key.kid not in {it.kid for it in found}])
        return found

    def _discard(self, keys: Iterable[StoredKey]) -> None:
        """Destroy keys that were never used. If that fails, log it: such a key stays in its store and signs nothing."""
        for key in keys:
            try:
                self._stores.destroy(key)
            except KeyStoreError as error:
                log.warning("unused_signing_key_not_destroyed", kid=key.kid, store=key.store, detail=str(error))

    def _load(self) -> list[SigningKey]:
        with self._database.read() as connection:
            return load_signing_keys(connection)

    def _load_and_open(self) -> list[SigningKey]:
        keys = self._load()
        for key in active_and_next(keys):
            self._stores.open(key)
        return keys

    def _longest(self, connection: Connection) -> int:
        return max(self._longest_seconds, longest_client_seconds(connection))

    @contextmanager
    def _exclusive_transaction(self) -> Iterator[tuple[Connection, int]]:
        """Open a transaction that holds the lock on the signing keys. Yield it with the time after locking."""
        with self._database.write() as connection:
            lock_signing_keys(connection)
            self._clock.follow(connection)
            yield connection, self._clock.now()
