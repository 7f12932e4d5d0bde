"""Login concurrency: for one name and network, two logins run at a time; the others wait in a queue.

An attempt counts as a failure until it has succeeded. Without the queue, many concurrent logins with the right password
would use up the limit for each other.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.observability.metrics import OVERLOADS

MAX_CONCURRENT: Final = 2
MAX_WAITING: Final = 256


@dataclass(slots=True)
class _Queue:
    semaphore: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT))
    length: int = 0


class LoginConcurrency:
    """One queue for each name and network that has a login in progress."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    @asynccontextmanager
    async def acquire(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raise HashingBusyError if the queue is full."""
        queue = self._queues.setdefault(key, _Queue())
        if queue.length >= MAX_CONCURRENT + MAX_WAITING:
            OVERLOADS.labels("login").inc()
            raise HashingBusyError
        queue.length += 1
        try:
            async with queue.semaphore:
                yield
        finally:
            queue.length -= 1
            if queue.length == 0:
                del self._queues[key]
