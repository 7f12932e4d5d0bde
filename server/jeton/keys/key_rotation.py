"""Every change to the stored signing keys: decided by the law, made by one process at a time, whole or not at all."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from jeton.crypto.private_key import KeyStoreError, KeyStores
from jeton.rules.key_lifecycle import (
    KeyState,
    KeyTimings,
    KeyType,
    SigningKey,
    StoredKey,
    active_and_next,
    announced,
    ask_for_rotation,
    corrected,
    first_keys,
    prefer,
    revoke,
    rotate,
    rotate_unready,
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
    promise_lifetime,
    update_signing_keys,
)

log = structlog.get_logger("jeton.rotation")

# Which keys are changed, given all of them, the time, and the longest life that a token may be given.
Decide = Callable[[list[SigningKey], int, int], list[SigningKey]]


class Rotation:
    """Changes signing keys; every method gives all keys as they are then.

    MasterKeyError or KeyStoreError, and nothing changed, where a key that signs or will sign does not open here.
    """

    def __init__(
        self, database: Database, clock: Clock, stores: KeyStores, times: KeyTimings, *, longest_seconds: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._stores = stores
        self._times = times
        self._longest_seconds = longest_seconds

    def begin(self, kind: KeyType) -> list[SigningKey]:
        """On the first start of all, an active key and its successor are made."""
        if not self._load():
            active, following = (self._stores.create(kind.algorithm, kind.rsa_bits) for _ in range(2))
            with self._changing() as (connection, now):
                are_first = not load_signing_keys(connection)
                if are_first:
                    insert_signing_keys(connection, first_keys(active, following, now, self._longest(connection)))
            if not are_first:
                self._discard([active, following])
        return self._load_and_open()

    def prefer(self, kind: KeyType) -> list[SigningKey]:
        """At a server's start: where its settings ask for another kind of key, such a `next` is announced.

        After that, every process goes by the kind of the stored `next`: servers whose settings differ for a while must
        not undo one another's changes for ever.
        """
        keys = self.begin(kind)
        return self._change(lambda keys, *_: prefer(keys, kind), kind) if prefer(keys, kind) else keys

    def promise(self, keys: list[SigningKey]) -> list[SigningKey]:
        """Before this process signs: the active key is kept for tokens as long-lived as it may sign."""
        if active_and_next(keys)[0].longest_seconds >= self._longest_seconds:
            return keys
        with self._changing() as (connection, _):
            promise_lifetime(connection, self._longest_seconds)
            return load_signing_keys(connection)

    def correct(self, keys: list[SigningKey]) -> list[SigningKey]:
        """Put stamps right that a clock made which was ahead and is not any more."""

        def decide(keys: list[SigningKey], now: int, _: int) -> list[SigningKey]:
            return corrected(keys, now)

        if not decide(keys, self._clock.now(), 0):
            return keys
        log.warning("signing_keys_stamped_in_the_future", until=max(key.created_at for key in keys))
        return self._change(decide)

    def is_due(self, keys: list[SigningKey]) -> bool:
        return self._clock.now() >= rotation_at(keys, self._times)

    def rotate_when_due(self) -> list[SigningKey]:
        """Whoever comes second finds that it is not due any more."""

        def decide(keys: list[SigningKey], now: int, longest: int) -> list[SigningKey]:
            return rotate(keys, now, self._times, longest) if now >= rotation_at(keys, self._times) else []

        return self._change(decide)

    def rotate_soon(self) -> list[SigningKey]:
        """At once where `next` is ready; else a running server does it as soon as it is."""

        def decide(keys: list[SigningKey], now: int, longest: int) -> list[SigningKey]:
            is_ready = now >= active_and_next(keys)[1].ready_at
            return rotate(keys, now, self._times, longest) if is_ready else ask_for_rotation(keys, now)

        return self._change(decide)

    def rotate_now(self) -> list[SigningKey]:
        """Even if caches miss the next key. KeyChangeRefusedError while a server may miss it."""
        return self._change(lambda keys, now, longest: rotate_unready(keys, now, self._times, longest))

    def revoke(self, kid: str) -> list[SigningKey]:
        """That key leaves the key set, and its tokens end. KeyChangeRefusedError where there is none."""
        return self._change(lambda keys, now, longest: revoke(keys, kid, now, self._times, longest))

    def forget(self) -> int:
        """Destroys and deletes keys that nothing can refer to any more; says how many."""
        keys, now = self._load(), self._clock.now()
        gone = [key for key in keys if key.gone_at is not None and key.gone_at <= now]
        for key in gone:
            # Before it is deleted: whatever happens between, it is destroyed again the next time.
            self._stores.destroy(key)
        with self._database.write() as connection:
            delete_signing_keys(connection, [key.kid for key in gone])
        return len(gone)

    def _change(self, decide: Decide, kind: KeyType | None = None) -> list[SigningKey]:
        """Makes the changes; a new `next`, of this kind or of the last one's, is announced where none is left."""
        _, following = active_and_next(self._load_and_open())
        kind = kind or following.kind
        spare: StoredKey | None = None
        while True:
            with self._changing() as (connection, now):
                keys = load_signing_keys(connection)
                changed = decide(keys, now, self._longest(connection))
                left = {key.kid: key.state for key in [*keys, *changed]}
                if spare is not None or KeyState.NEXT in left.values():
                    update_signing_keys(connection, changed)
                    if spare is not None and KeyState.NEXT not in left.values():
                        insert_signing_keys(connection, [announced(spare, now, self._times)])
                        spare = None
                    found = load_signing_keys(connection)
                    break
            # Outside of the transaction: a key of 4096 bits takes seconds, and on SQLite every writer would wait.
            spare = self._stores.create(kind.algorithm, kind.rsa_bits)
        self._discard([key for key in (*changed, spare) if key is not None and key.kid not in {it.kid for it in found}])
        return found

    def _discard(self, keys: Iterable[StoredKey]) -> None:
        """Destroys keys that were never used; where that fails, they are left behind and sign nothing."""
        for key in keys:
            try:
                self._stores.destroy(key)
            except KeyStoreError as error:
                log.warning("unused_signing_key_left_behind", kid=key.kid, store=key.store, detail=str(error))

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
    def _changing(self) -> Iterator[tuple[Connection, int]]:
        """A transaction that is alone in changing keys, and the time when it came to be."""
        with self._database.write() as connection:
            lock_signing_keys(connection)
            self._clock.follow(connection)
            yield connection, self._clock.now()
