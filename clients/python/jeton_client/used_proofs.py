"""DPoP proofs that were used: a second use is refused (RFC 9449 section 11.1)."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

from jeton_client.errors import VerificationUnavailableError

MAX_PROOFS: Final = 100_000


class UsedProofs(Protocol):
    """Storage of used proofs. Share one between all processes of a service, or a proof can be used once in each."""

    async def use(self, name: str, seconds: float) -> bool:
        """Remember the name for this long, in one atomic step. Return False if it is remembered already.

        Raise VerificationUnavailableError if that is impossible now. With Redis: `SET name 1 NX EX seconds`.
        """
        ...


class MemoryUsedProofs:
    """Used proofs in the memory of this process. If it is full, requests are answered 503 instead of forgetting one."""

    def __init__(self, max_entries: int = MAX_PROOFS, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._monotonic = monotonic
        self._ends: dict[str, float] = {}
        self._lock = Lock()

    async def use(self, name: str, seconds: float) -> bool:
        """See `UsedProofs.use`. `seconds` must be the same for all names, so that the oldest entry ends first."""
        with self._lock:
            now = self._monotonic()
            while self._ends and self._ends[oldest := next(iter(self._ends))] <= now:
                del self._ends[oldest]
            if name in self._ends:
                return False
            if len(self._ends) >= self._max_entries:
                raise VerificationUnavailableError("too many DPoP proofs in a short time", self._ends[oldest] - now)
            self._ends[name] = now + seconds
            return True
