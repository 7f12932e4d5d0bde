"""Rate limit bucket keys: keyed digests (HMAC-SHA256), which reveal nothing and cannot be made to collide."""

import hmac
from typing import Final

from jeton.crypto.master_key import MasterKeys

_PURPOSE: Final = b"throttle v1\0"
_LENGTH: Final = 16


class RateLimitKeys:
    """Bucket keys under the oldest master key, so that nodes share buckets while a newer one is rolled out."""

    def __init__(self, master_keys: MasterKeys) -> None:
        *_, oldest = master_keys
        self._key = master_keys.derive(oldest, _PURPOSE)

    def __repr__(self) -> str:
        return "RateLimitKeys()"

    def key(self, kind: str, *words: str) -> bytes:
        """Return the key of the bucket of this kind for these words."""
        return self._digest(kind, *words)[:_LENGTH]

    def shared_key(self, kind: str, word: str, *, of: int) -> bytes:
        """Return the key of one of `of` shared buckets, for words of unlimited number."""
        number = int.from_bytes(self._digest(kind, word)[:8]) % of
        return self.key(kind, f"shared {number}")

    def _digest(self, *words: str) -> bytes:
        # Length-prefixed, so that different lists of words never have the same encoding.
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        return hmac.digest(self._key, b"".join(b"%d:%s" % (len(word), word) for word in encoded), "sha256")
