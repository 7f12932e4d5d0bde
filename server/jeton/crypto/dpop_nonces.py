"""Nonces for DPoP proofs (RFC 9449 sections 8 and 9): a period and its MAC. Nothing is stored, and all nodes agree."""

import base64
import hmac
import re
from typing import Final, Literal

from jeton.crypto.master_key import MasterKeys

PERIOD_SECONDS: Final = 60
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_PERIOD_OCTETS: Final = 8
_MAC_OCTETS: Final = 16


class DpopNonces:
    """Makes and recognizes the nonces of one role, under keys of that role: they are refused by the other."""

    def __init__(self, master_keys: MasterKeys, role: Literal["authorization server", "resource server"]) -> None:
        purpose = f"dpop nonce of {role} v1".encode()
        self._keys = [master_keys.derive(it, purpose) for it in master_keys]

    def current(self, now: int) -> str:
        """Return the nonce of this period: 32 characters of base64url.

        Under the oldest master key, which all nodes have while a newer one is being added.
        """
        return _nonce(self._keys[-1], now // PERIOD_SECONDS)

    def expires_at(self, nonce: str, now: int) -> int | None:
        """Return until when the nonce is accepted, or None if it is not: the current one, or that of the period before.

        A node whose clock is ahead may have issued the next one already.
        """
        if not _SHAPE.fullmatch(nonce):
            return None
        current, found = now // PERIOD_SECONDS, None
        for period in (current - 1, current, current + 1):
            for key in self._keys:
                if hmac.compare_digest(nonce, _nonce(key, period)):
                    found = (period + 2) * PERIOD_SECONDS
        return found


def _nonce(key: bytes, period: int) -> str:
    octets = period.to_bytes(_PERIOD_OCTETS)
    return base64.urlsafe_b64encode(octets + hmac.digest(key, octets, "sha256")[:_MAC_OCTETS]).decode()
