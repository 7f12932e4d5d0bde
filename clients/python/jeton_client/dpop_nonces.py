"""Nonces of a service for DPoP proofs (RFC 9449 section 9), without state: processes with one secret agree on them."""

import hmac
from dataclasses import dataclass, field
from typing import Final

from jeton_client import base64url

NONCE_SECONDS: Final = 60
MIN_SECRET_BYTES: Final = 16
_PURPOSE: Final = "jeton_client: nonce of a resource server for DPoP proofs"


@dataclass(frozen=True, slots=True)
class DPoPNonces:
    """A new nonce every minute. It is accepted until the end of the next minute.

    `secret` are at least 16 random bytes, the same in all processes of the service, and used for nothing else.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise ValueError(f"the secret of nonces needs at least {MIN_SECRET_BYTES} random bytes")

    def current(self, now: float) -> str:
        return self._of(int(now) // NONCE_SECONDS)

    def accepts(self, nonce: object, now: float) -> bool:
        """Return whether it is the nonce of this minute or of the last one."""
        slot = int(now) // NONCE_SECONDS
        octets = nonce.encode() if isinstance(nonce, str) and nonce.isascii() else b""
        return any(hmac.compare_digest(octets, self._of(it).encode()) for it in (slot, slot - 1))

    def _of(self, slot: int) -> str:
        return base64url.encode(hmac.digest(self.secret, f"{_PURPOSE} {slot}".encode(), "sha256"))
