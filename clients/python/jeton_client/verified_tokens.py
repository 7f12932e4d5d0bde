"""Bounded cache of verified tokens. Entries end at `exp` at the latest, and all are discarded when the keys change."""

from threading import Lock
from typing import Final

from jeton_client.access_token import AccessToken
from jeton_client.key_set import KeySet

MAX_TOKENS: Final = 4096


class VerifiedTokens:
    """Tokens verified with one key set. The oldest one is evicted."""

    def __init__(self, max_entries: int = MAX_TOKENS) -> None:
        self._max_entries = max_entries
        self._tokens: dict[str, AccessToken] = {}
        self._keys: KeySet | None = None
        self._lock = Lock()

    def get(self, token: str, keys: KeySet | None, now: float) -> AccessToken | None:
        """Return the token, or None if it is unknown, has expired, or was verified with other keys."""
        if keys is not self._keys:
            return None
        found = self._tokens.get(token)
        return found if found is not None and now < found.expires_at else None

    def add(self, token: str, verified: AccessToken, keys: KeySet) -> None:
        if self._max_entries <= 0:
            return
        with self._lock:
            if keys is not self._keys:
                self._tokens, self._keys = {}, keys
            while len(self._tokens) >= self._max_entries:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[token] = verified
