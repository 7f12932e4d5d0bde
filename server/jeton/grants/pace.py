"""How long refusals take: as long as what they stand for."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_LATELY: Final = 64


class Pace:
    """How long checks lately took, so that a refusal without a hash takes as long as one with it."""

    def __init__(self, check: Callable[[], object]) -> None:
        """Makes one check, to have a first measure of it."""
        self._lately: deque[float] = deque(maxlen=_LATELY)
        began = time.monotonic()
        check()
        self.note(began)

    def note(self, began: float) -> None:
        """A check that began then, by the monotonic clock, has ended."""
        self._lately.append(time.monotonic() - began)

    async def keep(self, began: float) -> None:
        """Waits as long as one of the latest checks took, each in its turn."""
        seconds = self._lately[0]
        self._lately.rotate(-1)
        await asyncio.sleep(began + seconds - time.monotonic())
