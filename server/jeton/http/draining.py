"""Draining: after SIGTERM the server is no longer ready but still serves, so that load balancers can remove it."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog

log = structlog.get_logger("jeton.http")


class Draining:
    """The state between SIGTERM and the end of the process, in which each response closes its connection."""

    def __init__(self, seconds: float = 0) -> None:
        self._seconds = seconds
        self.has_begun = False

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Delay the handler of SIGTERM that the server has installed. A second SIGTERM does not wait."""
        server_handler = signal.getsignal(signal.SIGTERM)
        if not self._seconds or not callable(server_handler):
            yield
            return
        loop = asyncio.get_running_loop()

        def begin(number: int, frame: FrameType | None) -> Any:
            if self.has_begun:
                return server_handler(number, frame)
            self.has_begun = True
            # A signal handler may interrupt anything: only this is safe to call in it.
            return loop.call_soon_threadsafe(self._begin, loop, server_handler)

        signal.signal(signal.SIGTERM, begin)
        yield
        if signal.getsignal(signal.SIGTERM) is begin:
            signal.signal(signal.SIGTERM, server_handler)

    def _begin(self, loop: asyncio.AbstractEventLoop, server_handler: Any) -> None:
        log.info("draining", seconds=self._seconds)
        loop.call_later(self._seconds, server_handler, signal.SIGTERM, None)
