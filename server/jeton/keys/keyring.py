"""The keys as this process holds them: imported once, replaced as a whole when the stored ones change."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jeton.crypto.private_key import KeyStores
from jeton.crypto.signed_jwt import Signer, Verifier
from jeton.oauth.key_life import KeyState, KeyTimes, SigningKey, is_rotation_due, max_age


@dataclass(frozen=True, slots=True)
class KeySet:
    """The published keys (RFC 7517 section 5), ready to send."""

    document: bytes
    etag: str


class Keyring:
    """Signs, verifies and publishes."""

    def __init__(self, stores: KeyStores, times: KeyTimes) -> None:
        self._stores = stores
        self._times = times
        self._keys: tuple[SigningKey, ...] = ()
        self.signer: Signer
        self.verifier: Verifier
        self.key_set: KeySet

    def follow(self, stored: Sequence[SigningKey], now: int) -> None:
        """Takes over the stored keys where they have changed. MasterKeyError, KeyStoreError: they cannot be opened."""
        keys = tuple(key for key in stored if key.is_published(now))
        if keys == self._keys:
            return
        active = next(key for key in keys if key.state is KeyState.ACTIVE)
        signer = getattr(self, "signer", None)
        if signer is None or signer.kid != active.kid:
            signer = Signer(self._stores.open(active))
        public: list[dict[str, Any]] = [json.loads(key.public_jwk) for key in keys]
        # Whoever is asked to verify must know a key before anybody signs with it.
        self.verifier = Verifier(public)
        self.key_set = _key_set(public)
        self.signer = signer
        self._keys = keys

    def is_rotation_due(self, now: int) -> bool:
        return is_rotation_due(self._keys, now, self._times)

    def max_age(self, now: int) -> int:
        """Seconds for which the key set may be cached."""
        return max_age(self._keys, now, self._times)


def _key_set(public: list[dict[str, Any]]) -> KeySet:
    document = json.dumps({"keys": public}, separators=(",", ":")).encode()
    return KeySet(document, f'"{hashlib.sha256(document).hexdigest()[:32]}"')
