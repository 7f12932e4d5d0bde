"""The keys as this process holds them: opened once, replaced as a whole when the stored ones change."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.private_key import KeyStoreError, KeyStores
from jeton.crypto.signed_jwt import Signer, Verifier
from jeton.oauth.key_life import STALE_SECONDS, KeyTimes, SigningKey, active_and_next, max_age
from jeton.storage.clock import Clock
from jeton.storage.database import StorageUnavailableError

log = structlog.get_logger("jeton.keyring")


@dataclass(frozen=True, slots=True)
class KeySet:
    """The published keys (RFC 7517 section 5), ready to send."""

    document: bytes
    etag: str


class Keyring:
    """Signs, verifies and publishes."""

    def __init__(self, stores: KeyStores, times: KeyTimes, clock: Clock) -> None:
        self._stores = stores
        self._times = times
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._seen_at = 0.0
        self._signer: Signer
        self._signs_from = 0
        self.verifier: Verifier
        self.key_set: KeySet

    @property
    def signer(self) -> Signer:
        """What to sign with, for a request that ends within seconds.

        StorageUnavailableError where this process does not know whether that key may still sign, or may sign yet.
        """
        if self._unseen_seconds > STALE_SECONDS or self._clock.now() < self._signs_from:
            raise StorageUnavailableError("there is no key to sign with at the moment")
        return self._signer

    def follow(self, stored: Sequence[SigningKey], seen_at: float) -> None:
        """Takes over the stored keys, as the database was known to hold them at `seen_at` by the monotonic clock.

        MasterKeyError or KeyStoreError where the active one cannot be opened.
        """
        now = self._clock.now()
        keys = tuple(key for key in stored if key.is_published(now))
        if keys != self._keys:
            self._take_over(keys)
        self._seen_at = seen_at

    def max_age(self, now: int) -> int:
        """Seconds for which the key set may be cached."""
        return max_age(self._keys, now, self._times, int(self._unseen_seconds))

    @property
    def _unseen_seconds(self) -> float:
        return time.monotonic() - self._seen_at

    def _take_over(self, keys: tuple[SigningKey, ...]) -> None:
        active, following = active_and_next(keys)
        signer = Signer(self._stores.open(active))
        self._open_ahead(following)
        public: list[dict[str, Any]] = [json.loads(key.public_jwk) for key in keys]
        # Whoever is asked to verify must know a key before anybody signs with it.
        self.verifier = Verifier(public)
        self.key_set = _key_set(public)
        self._signer, self._signs_from = signer, active.activated_at or 0
        self._keys = keys
        self._stores.keep_open({active.kid, following.kid})

    def _open_ahead(self, following: SigningKey) -> None:
        """So that a switch finds the key open, and a wrong master key is noticed while there is time."""
        try:
            self._stores.open(following)
        except (MasterKeyError, KeyStoreError) as error:
            log.error("next_signing_key_does_not_open", kid=following.kid, detail=str(error))


def _key_set(public: list[dict[str, Any]]) -> KeySet:
    document = json.dumps({"keys": public}, separators=(",", ":")).encode()
    return KeySet(document, f'"{hashlib.sha256(document).hexdigest()[:32]}"')
