"""The keys as this process holds them: opened once, replaced as a whole when the stored ones change."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.private_key import KeyStoreError, KeyStores
from jeton.crypto.signed_jwt import ACCESS_TOKEN, Signer, Verifier
from jeton.rules.key_lifecycle import STALE_SECONDS, KeyTimings, SigningKey, active_and_next, is_settled, max_age
from jeton.storage.batching import Batcher
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

    def __init__(self, stores: KeyStores, times: KeyTimings, clock: Clock) -> None:
        self._stores = stores
        self._times = times
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._seen_at = 0.0
        self._signer: Signer
        self._signs_from = 0
        self._away: KeyStoreError | None = None
        self._elsewhere = Batcher[Callable[[], str], str]("signing", lambda tasks: [task() for task in tasks], most=1)
        self.verifier: Verifier
        self.key_set: KeySet

    @property
    def signer(self) -> Signer:
        """What to sign with, for a request that ends within seconds.

        StorageUnavailableError where this process does not know whether that key may still sign, or may sign yet;
        KeyStoreError where it is kept elsewhere, and that place was away when it was asked last.
        """
        if self._away is not None:
            raise self._away
        if self.unseen_seconds > STALE_SECONDS or not self._clock.is_certain or not self._is_settled():
            raise StorageUnavailableError("there is no key to sign with at the moment")
        return self._signer

    @property
    def can_sign(self) -> bool:
        """Whether there is a key, within reach, that may sign now."""
        try:
            return self.signer is not None
        except (KeyStoreError, StorageUnavailableError):
            return False

    async def sign(self, signer: Signer, claims: Mapping[str, Any], typ: str = ACCESS_TOKEN) -> str:
        """The JWT. A key that is kept elsewhere signs in a thread; KeyStoreError where it is away."""
        if not signer.is_elsewhere:
            return signer.sign(claims, typ)
        return await self._elsewhere(lambda: self._sign_elsewhere(signer, claims, typ))

    def probe(self) -> None:
        """Asks a key that is kept elsewhere to sign: where it is away, that is noticed before anything is spent."""
        if self._signer.is_elsewhere:
            with suppress(KeyStoreError):
                self._sign_elsewhere(self._signer, {}, "probe")

    def close(self) -> None:
        """Finishes what is being signed, but waits no longer than a moment for it."""
        self._elsewhere.close()

    def follow(self, stored: Sequence[SigningKey], seen_at: float) -> None:
        """Takes over the stored keys, as the database was known to hold them at `seen_at` by the monotonic clock.

        MasterKeyError or KeyStoreError where the active one cannot be opened.
        """
        now = self._clock.now()
        keys = tuple(key for key in stored if key.is_published(now))
        if keys != self._keys:
            self._take_over(keys)
        self._is_settled()
        self._seen_at = seen_at

    def max_age(self, now: int) -> int:
        """Seconds for which the key set may be cached."""
        return max_age(self._keys, now, self._times, int(self.unseen_seconds))

    def _sign_elsewhere(self, signer: Signer, claims: Mapping[str, Any], typ: str) -> str:
        try:
            signed = signer.sign(claims, typ)
        except KeyStoreError as error:
            if self._away is None:
                log.error("signing_key_is_away", kid=signer.kid, detail=str(error))
            self._away = error
            raise
        self._away = None
        return signed

    def _is_settled(self) -> bool:
        """Whether every server publishes the key that signs. It stays so when the clock steps back."""
        if is_settled(self._signs_from, self._clock.now()):
            self._signs_from = 0
        return self._signs_from == 0

    @property
    def unseen_seconds(self) -> float:
        """The time since the stored keys were last read."""
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
