"""Delay early refusals to the duration of a recent password check, so that timing reveals nothing."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_KEPT: Final = 64


class UniformTiming:
    """The durations of recent password checks of ordinary cost."""

    def __init__(self, check: Callable[[], object]) -> None:
        """Run one check, to have a first duration."""
        self._durations: deque[float] = deque(maxlen=_KEPT)
        began = time.monotonic()
        check()
        self.record(began)

    def record(self, began: float) -> None:
        """Record a check that began at that time of the monotonic clock and ends now."""
        self._durations.append(time.monotonic() - began)

    async def delay(self, began: float) -> None:
        """Wait until as much time has passed as one of the recent checks took, each in turn."""
        seconds = self._durations[0]
        self._durations.rotate(-1)
        await asyncio.sleep(began + seconds - time.monotonic())
