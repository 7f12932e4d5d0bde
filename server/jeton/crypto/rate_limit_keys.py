"""Names of buckets: keyed digests (HMAC-SHA256), from which nobody learns who is counted, or makes two collide."""

import hmac
from typing import Final

from jeton.crypto.master_key import MasterKeys

_PURPOSE: Final = b"throttle v1\0"
_LENGTH: Final = 16


class RateLimitKeys:
    """Under the oldest master key: nodes that know a newer one already, and those that do not yet, count together."""

    def __init__(self, master_keys: MasterKeys) -> None:
        *_, oldest = master_keys
        self._key = master_keys.derive(oldest, _PURPOSE)

    def __repr__(self) -> str:
        return "ThrottleKeys()"

    def key(self, kind: str, *words: str) -> bytes:
        """The one bucket of this kind for these words."""
        return self._digest(kind, *words)[:_LENGTH]

    def shared_key(self, kind: str, word: str, *, of: int) -> bytes:
        """One of so many buckets, for words of which there is no end."""
        number = int.from_bytes(self._digest(kind, word)[:8]) % of
        return self.key(kind, f"shared {number}")

    def _digest(self, *words: str) -> bytes:
        # Each with its length: no two lists of words are written alike.
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        return hmac.digest(self._key, b"".join(b"%d:%s" % (len(word), word) for word in encoded), "sha256")
