"""Uniform timing: delay early refusals to the duration of a recent password check, so that timing reveals nothing."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

_MAX_DURATIONS: Final = 64


class UniformTiming:
    """The durations of recent password checks of normal cost.

    `check` runs such a check. It is called once: in the background, so that it does not delay the start, or earlier by
    a refusal.
    """

    def __init__(self, check: Callable[[], Awaitable[object]]) -> None:
        self._check = check
        self._first_check = asyncio.Lock()
        self._durations: deque[float] = deque(maxlen=_MAX_DURATIONS)

    async def run(self) -> None:
        """Obtain the first duration."""
        await self._run_first_check()

    def record(self, began: float) -> None:
        """Record a check that began at `began` (monotonic clock) and ends now."""
        self._durations.append(time.monotonic() - began)

    async def delay(self, began: float) -> None:
        """Wait until a recent check would have ended if it had begun at `began`. Use the recent durations in turn."""
        await self._run_first_check()
        seconds = self._durations[0]
        self._durations.rotate(-1)
        await asyncio.sleep(began + seconds - time.monotonic())

    async def _run_first_check(self) -> None:
        if self._durations:
            return
        async with self._first_check:
            if not self._durations:
                began = time.monotonic()
                await self._check()
                self.record(began)
