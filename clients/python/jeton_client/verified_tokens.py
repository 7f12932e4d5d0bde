"""Tokens that were verified already: bounded, never past `exp`, and gone as soon as a key is."""

from threading import Lock
from typing import Final

from jeton_client.access_token import AccessToken
from jeton_client.key_set import KeySet

MAX_TOKENS: Final = 4096


class VerifiedTokens:
    """What was verified by the keys of one set. The oldest makes room."""

    def __init__(self, most: int = MAX_TOKENS) -> None:
        self._most = most
        self._tokens: dict[str, AccessToken] = {}
        self._keys: KeySet | None = None
        self._lock = Lock()

    def get(self, token: str, keys: KeySet | None, now: float) -> AccessToken | None:
        """What it was found to be; None for one that was never seen, has ended, or was verified by other keys."""
        if keys is not self._keys:
            return None
        found = self._tokens.get(token)
        return found if found is not None and now < found.expires_at else None

    def add(self, token: str, verified: AccessToken, keys: KeySet) -> None:
        if self._most <= 0:
            return
        with self._lock:
            if keys is not self._keys:
                self._tokens, self._keys = {}, keys
            while len(self._tokens) >= self._most:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[token] = verified
