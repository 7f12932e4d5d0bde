"""Taking turns: few logins of one account from one place are under way at a time.

An attempt holds a place among the failures until it has succeeded. Without turns, many right logins at once would take
each other's places, and most of them would be refused as wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from jeton.crypto.passwords import HashingBusyError

AT_ONCE: Final = 2
MOST_WAITING: Final = 256


@dataclass(slots=True)
class _Line:
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    length: int = 0


class Turns:
    """A line for each name and place that somebody logs in by just now."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line] = {}

    @asynccontextmanager
    async def take(self, whose: Hashable) -> AsyncIterator[None]:
        """HashingBusyError where too many stand in that line."""
        line = self._lines.setdefault(whose, _Line())
        if line.length >= AT_ONCE + MOST_WAITING:
            raise HashingBusyError
        line.length += 1
        try:
            async with line.gate:
                yield
        finally:
            line.length -= 1
            if line.length == 0:
                del self._lines[whose]
