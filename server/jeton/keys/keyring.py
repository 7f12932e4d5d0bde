"""The signing keys in memory: opened once, and replaced together when the stored keys change."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from jeton.crypto.key_stores import KeyStoreError, KeyStores
from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.signed_jwt import ACCESS_TOKEN, ID_TOKEN, Signer, Verifier
from jeton.rules.key_lifecycle import STALE_SECONDS, KeyTimings, SigningKey, active_and_next, is_effective, max_age
from jeton.storage.batching import Batcher
from jeton.storage.clock import Clock
from jeton.storage.database import StorageUnavailableError

log = structlog.get_logger("jeton.keyring")


@dataclass(frozen=True, slots=True)
class KeySet:
    """The published JWK Set (RFC 7517 section 5), ready to send."""

    document: bytes
    etag: str


class Keyring:
    """The keys that this process signs and verifies with, and publishes."""

    def __init__(self, stores: KeyStores, timings: KeyTimings, clock: Clock) -> None:
        self._stores = stores
        self._timings = timings
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._read_at = 0.0
        self._signer: Signer
        self._effective_at = 0
        self._store_error: KeyStoreError | None = None
        self._external_signatures = Batcher[Callable[[], str], str](
            "signing", lambda tasks: [task() for task in tasks], max_batch=1
        )
        self.verifier: Verifier
        self.id_token_verifier: Verifier
        self.key_set: KeySet

    @property
    def signer(self) -> Signer:
        """Return the signer for a request that ends within seconds.

        Raise StorageUnavailableError if this process does not know whether the key may still sign, or may sign yet;
        KeyStoreError if an external key store failed at its last use.
        """
        if self._store_error is not None:
            raise self._store_error
        if self.seconds_since_read > STALE_SECONDS or not self._clock.is_certain or not self._is_effective():
            raise StorageUnavailableError("there is no key to sign with at the moment")
        return self._signer

    @property
    def algorithm(self) -> str:
        """Return the algorithm of the key that signs, now or as soon as it may."""
        return self._signer.algorithm

    @property
    def can_sign(self) -> bool:
        """Return whether there is a key that may sign now and can be reached."""
        try:
            return self.signer is not None
        except (KeyStoreError, StorageUnavailableError):
            return False

    async def sign(self, signer: Signer, claims: Mapping[str, Any], typ: str = ACCESS_TOKEN) -> str:
        """Return the signed JWT. A key in an external store signs in a thread; raise KeyStoreError if that fails."""
        if not signer.is_external:
            return signer.sign(claims, typ)
        return await self._external_signatures(lambda: self._sign_externally(signer, claims, typ))

    def check_external_key(self) -> None:
        """Make a test signature with an external key, so that a failure is known before a token is redeemed."""
        if self._signer.is_external:
            with suppress(KeyStoreError):
                self._sign_externally(self._signer, {}, "probe")

    def close(self) -> None:
        """Finish pending signatures, with a short timeout."""
        self._external_signatures.close()

    def update(self, stored: Sequence[SigningKey], read_at: float) -> None:
        """Replace the keys by the stored ones, which were read at `read_at` by the monotonic clock.

        Raise MasterKeyError or KeyStoreError if the active key cannot be opened.
        """
        now = self._clock.now()
        keys = tuple(key for key in stored if key.is_published(now))
        if keys != self._keys:
            self._replace(keys)
        self._is_effective()
        self._read_at = read_at

    def max_age(self, now: int) -> int:
        """Return for how many seconds the key set may be cached."""
        return max_age(self._keys, now, self._timings, int(self.seconds_since_read))

    def _sign_externally(self, signer: Signer, claims: Mapping[str, Any], typ: str) -> str:
        try:
            signed = signer.sign(claims, typ)
        except KeyStoreError as error:
            if self._store_error is None:
                log.error("signing_key_unavailable", kid=signer.kid, detail=str(error))
            self._store_error = error
            raise
        self._store_error = None
        return signed

    def _is_effective(self) -> bool:
        """Return whether every server publishes the active key. Once true, it stays true when the clock steps back."""
        if is_effective(self._effective_at, self._clock.now()):
            self._effective_at = 0
        return self._effective_at == 0

    @property
    def seconds_since_read(self) -> float:
        """Return the seconds since the stored keys were last read."""
        return time.monotonic() - self._read_at

    def _replace(self, keys: tuple[SigningKey, ...]) -> None:
        active, following = active_and_next(keys)
        signer = Signer(self._stores.open(active))
        self._open_ahead(following)
        public: list[dict[str, Any]] = [json.loads(key.public_jwk) for key in keys]
        # The verifier first: a key must be known before a token is signed with it.
        self.verifier = Verifier(public)
        self.id_token_verifier = Verifier(public, ID_TOKEN)
        self.key_set = _key_set(public)
        self._signer, self._effective_at = signer, active.activated_at or 0
        self._keys = keys
        self._stores.close_all_except({active.kid, following.kid})

    def _open_ahead(self, following: SigningKey) -> None:
        """Open the next key, so that a wrong master key or a missing HSM is logged before the rotation needs it."""
        try:
            self._stores.open(following)
        except (MasterKeyError, KeyStoreError) as error:
            log.error("next_signing_key_cannot_be_opened", kid=following.kid, detail=str(error))


def _key_set(public: list[dict[str, Any]]) -> KeySet:
    document = json.dumps({"keys": public}, separators=(",", ":")).encode()
    return KeySet(document, f'"{hashlib.sha256(document).hexdigest()[:32]}"')
