"""DPoP proofs for load: each is used once, and for a minute after it was signed."""

import time

from support.dpop import DpopKey

# More than can be used: a window ends before its proofs do.
PROOFS_PER_SECOND = 5_000


def proofs(url: str, seconds: int) -> list[str]:
    """Return proofs for POST requests to this URL, enough for this many seconds, by one key."""
    key, now = DpopKey(), int(time.time())
    return [key.proof(url=url, iat=now) for _ in range(PROOFS_PER_SECOND * seconds)]
