"""What a server process does besides answering: follow the database, and forget what is past."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.private_key import KeyStoreError
from jeton.endpoints.status_list import StatusLists
from jeton.keys.keyring import Keyring
from jeton.keys.rotation import Rotation
from jeton.oauth.key_life import STALE_SECONDS
from jeton.storage.announced import Announced, load_announced
from jeton.storage.buckets import forget_buckets
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.ended_tokens import forget_ended_tokens
from jeton.storage.families import forget_families
from jeton.storage.gather import Gather
from jeton.storage.invalid_statuses import forget_invalid_statuses, load_invalid_indexes
from jeton.storage.records import Records
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.status_indexes import load_next_status_index

_LOOK_SECONDS: Final = 2
_FORGET_SECONDS: Final = 60
_FORGET_AT_MOST: Final = 1000

log = structlog.get_logger("jeton.upkeep")


class Upkeep:
    """Looks every two seconds, so that what a command changes is in effect here within five."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keyring: Keyring,
        records: Records,
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
        self._forgot_at = time.monotonic()
        self._gather = Gather[Callable[[], object], object]("upkeep", lambda tasks: [task() for task in tasks])
        self.announced = Announced()

    @property
    def is_ready(self) -> bool:
        """Whether the database answered lately and can be written, and there is a key to sign with."""
        looked = self._looked_at is not None and time.monotonic() - self._looked_at < STALE_SECONDS
        return looked and self._can_write and self._keyring.can_sign

    def look(self) -> None:
        """One look: the time, the signing keys and their rotation, what is announced, what has ended, and clients to be
        read anew."""
        looked_at = time.monotonic()
        with self._database.read() as connection:
            self._clock.follow(connection)
            self._can_write = self._database.can_write(connection)
            keys = load_signing_keys(connection)
            self.announced = load_announced(connection)
            if self.status_lists is not None:
                now = self._clock.now()
                self.status_lists.follow(load_invalid_indexes(connection, now), load_next_status_index(connection), now)
        if not self._can_write:
            self._database.reconnect()
        keys = self.rotation.promise(keys)
        self._keyring.follow(keys, looked_at)
        self._keyring.probe()
        self._records.forget_clients()
        self._looked_at = looked_at
        # Last: all else is done although a rotation fails, which is then tried again.
        if self.rotation.is_due(keys):
            self._keyring.follow(self.rotation.rotate_when_due(), looked_at)
            log.info("signing_keys_rotated", kid=self._keyring.signer.kid)

    def forget(self) -> int:
        """Deletes what nothing can refer to any more, a bounded number of rows at a time; says how many."""
        now = self._clock.now()
        with self._database.write() as connection:
            forgotten = forget_ended_tokens(connection, now, _FORGET_AT_MOST)
            forgotten += forget_families(connection, now, _FORGET_AT_MOST)
            forgotten += forget_invalid_statuses(connection, now, _FORGET_AT_MOST)
            forgotten += forget_buckets(connection, now, _FORGET_AT_MOST)
        return forgotten + self.rotation.forget()

    def close(self) -> None:
        self._gather.close()

    async def run(self) -> None:
        """Until it is cancelled. What fails is logged, and tried again at the next look."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._gather(self.look)
                if time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
                    self._forgot_at = time.monotonic()
                    await self._gather(self.forget)
            except (StorageUnavailableError, MasterKeyError, KeyStoreError) as error:
                log.error("upkeep_failed", reason=type(error).__name__, detail=str(error))
            except Exception:
                log.exception("upkeep_failed")
