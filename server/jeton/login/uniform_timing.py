"""Uniform timing: delay early refusals to the duration of a recent password check, so that timing reveals nothing."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_MAX_DURATIONS: Final = 64


class UniformTiming:
    """The durations of recent password checks of normal cost."""

    def __init__(self, check: Callable[[], object]) -> None:
        """Run one check to obtain the first duration."""
        self._durations: deque[float] = deque(maxlen=_MAX_DURATIONS)
        began = time.monotonic()
        check()
        self.record(began)

    def record(self, began: float) -> None:
        """Record a check that began at `began` (monotonic clock) and ends now."""
        self._durations.append(time.monotonic() - began)

    async def delay(self, began: float) -> None:
        """Wait until a recent check would have ended if it had begun at `began`. Use the recent durations in turn."""
        seconds = self._durations[0]
        self._durations.rotate(-1)
        await asyncio.sleep(began + seconds - time.monotonic())
