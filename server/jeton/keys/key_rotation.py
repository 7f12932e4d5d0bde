"""Signing key rotation: apply the key lifecycle rules to the stored keys, one process at a time, atomically."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from jeton.crypto.algorithms import ALGORITHMS
from jeton.crypto.key_stores import KeyStoreError, KeyStores
from jeton.oauth.audit_events import AuditEvent
from jeton.rules.key_lifecycle import (
    ACCESS_TOKENS,
    KeyState,
    KeyTimings,
    KeyType,
    SigningKey,
    StoredKey,
    begin_series,
    create_first_keys,
    create_next_key,
    drop_next_of_other_type,
    next_of,
    request_rotation,
    rotate_early,
    rotate_if_due,
)
from jeton.rules.key_series import (
    RS256,
    KeyTypes,
    SeriesRule,
    active_keys,
    by_series,
    correct_timestamps,
    end_superfluous_series,
    for_each_series,
    lacking_next,
    missing_series,
    next_rotation_at,
    revoke,
)
from jeton.storage.audit_trail import record
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

    `key_types` are the configured types of new keys. Methods that return keys return all of them, after the change.
    They raise MasterKeyError or KeyStoreError, and change nothing, if an active or a next key cannot be opened here.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        stores: KeyStores,
        timings: KeyTimings,
        key_types: KeyTypes,
        *,
        longest_seconds: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._stores = stores
        self._timings = timings
        self._key_types = key_types
        self._longest_seconds = longest_seconds

    def ensure_keys_exist(self) -> list[SigningKey]:
        """Create an active and a next key of each series if there are no keys: on the first start."""
        if not self._load():
            series = [ACCESS_TOKENS] if self._key_types.algorithm == RS256 else [ACCESS_TOKENS, RS256]
            pairs = [(it, self._create(it), self._create(it)) for it in series]
            with self._exclusive_transaction() as (connection, now):
                are_first = not load_signing_keys(connection)
                if are_first:
                    longest = self._longest(connection)
                    for it, active, following in pairs:
                        insert_signing_keys(connection, create_first_keys(active, following, now, longest, it))
            if not are_first:
                self._discard(key for _, *keys in pairs for key in keys)
        return self._load_and_open()

    def ensure_key_types(self) -> list[SigningKey]:
        """Replace next keys if the settings ask for another type of key. Called when a server starts.

        After that, every process keeps the type of the stored next key: servers whose settings differ for a while must
        not undo each other's changes again and again. A series of ID tokens begins before access tokens change to
        another algorithm, and ends after they have changed to its own.
        """
        keys, algorithm = self.ensure_keys_exist(), self._key_types.algorithm

        def change(keys: list[SigningKey], now: int, _: int) -> list[SigningKey]:
            superfluous = end_superfluous_series(keys, now, self._timings, algorithm)
            ended = {key.series for key in superfluous}
            others = (of_it for series, of_it in by_series(keys).items() if series not in ended)
            dropped = (drop_next_of_other_type(of_it, self._key_types.of(of_it[0].series)) for of_it in others)
            return [*superfluous, *(key for it in dropped for key in it)]

        missing = missing_series(keys, [RS256], algorithm)
        if not missing and not change(keys, self._clock.now(), 0):
            return keys
        return self._change(change, missing, as_configured=True)

    def ensure_id_token_keys(self, keys: list[SigningKey], algorithms: Collection[str]) -> list[SigningKey]:
        """Begin a series for RS256, and for each of these algorithms that no key signs ID tokens with.

        Raise KeyStoreError if the store does not support one.
        """
        # RS256 first, which every store supports.
        for it in sorted(missing_series(keys, {RS256, *algorithms}), key=ALGORITHMS.index):
            keys = self._change(lambda *_: [], [it])
        return keys

    def cover_token_lifetime(self, keys: list[SigningKey]) -> list[SigningKey]:
        """Record the longest token lifetime of this server in the active keys, so that they are published long enough.

        Called before this process signs.
        """
        if min(key.longest_seconds for key in active_keys(keys).values()) >= self._longest_seconds:
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
        """Return whether a next key is to become active now."""
        return self._clock.now() >= next_rotation_at(keys, self._timings)

    def rotate_if_due(self) -> list[SigningKey]:
        """Rotate each series whose rotation is still due: another process may have rotated first."""
        return self._change_each_series(rotate_if_due)

    def request_rotation(self) -> list[SigningKey]:
        """Rotate each series whose next key is ready. A running server rotates the others as soon as theirs is."""
        return self._change_each_series(request_rotation)

    def rotate_now(self) -> list[SigningKey]:
        """Rotate although caches may lack the next keys. Raise KeyChangeRefusedError while a server may lack one."""
        return self._change_each_series(rotate_early)

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
            record(connection, *(AuditEvent("signing_key_deleted", "expired", target=key.kid) for key in gone))
        return len(gone)

    def _change_each_series(self, rule: SeriesRule) -> list[SigningKey]:
        return self._change(lambda keys, now, longest: for_each_series(rule, keys, now, self._timings, longest))

    def _change(
        self,
        change: KeyChange,
        begin: Collection[str] = (),
        *,
        as_configured: bool = False,
    ) -> list[SigningKey]:
        """Apply the changes, and begin these series unless they exist.

        Insert a next key where none is left: of the type of the previous one, or of the configured type.
        """
        stored = by_series(self._load_and_open())
        spares: dict[str, StoredKey] = {}
        while True:
            with self._exclusive_transaction() as (connection, now):
                keys = load_signing_keys(connection)
                changed = change(keys, now, self._longest(connection))
                left = {key.kid: key for key in [*keys, *changed]}.values()
                new, lacking = set(begin) - by_series(left).keys(), lacking_next(left)
                if new | lacking <= spares.keys():
                    update_signing_keys(connection, changed)
                    following = [create_next_key(spares[it], now, self._timings, it) for it in lacking]
                    first = [begin_series(spares[it], now, self._timings, it) for it in new]
                    insert_signing_keys(connection, [*following, *first])
                    found = load_signing_keys(connection)
                    record(connection, *_events(keys, found))
                    break
            # Outside the transaction: creating a 4096-bit key takes seconds, and on SQLite every writer would wait.
            for it in (new | lacking) - spares.keys():
                same_type = None if as_configured or it not in stored else next_of(stored[it]).key_type
                spares[it] = self._create(it, same_type)
        kids = {key.kid for key in found}
        self._discard(key for key in (*changed, *spares.values()) if key.kid not in kids)
        return found

    def _create(self, series: str, key_type: KeyType | None = None) -> StoredKey:
        """Create a key, by default of the configured type."""
        key_type = key_type or self._key_types.of(series)
        return self._stores.create(key_type.algorithm, key_type.rsa_bits)

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
        for key in keys:
            if key.state in (KeyState.ACTIVE, KeyState.NEXT):
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


def _events(before: Iterable[SigningKey], after: Iterable[SigningKey]) -> Iterator[AuditEvent]:
    """Yield an event for each key that is new or has another state."""
    states = {key.kid: key.state for key in before}
    for key in after:
        if states.get(key.kid) != key.state:
            yield AuditEvent("signing_key_changed", key.state, target=key.kid)
