"""Single flight: of concurrent calls with the same name, one does the work and all share its result or error."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from typing import Any


class SingleFlight:
    """Single flight for threads."""

    def __init__(self) -> None:
        self._flights: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def under_way(self, name: str) -> bool:
        return name in self._flights

    def join(self, name: str, work: Callable[[], Any]) -> Any:
        """Return or raise the result of `work`, run by this thread or the first one."""
        while True:
            with self._lock:
                flight = self._flights.get(name)
                leads = flight is None
                if flight is None:
                    flight = self._flights[name] = Future()
            if leads:
                return self._lead(name, flight, work)
            with suppress(CancelledError):  # the first thread was interrupted; this one was not
                return flight.result()

    def _lead(self, name: str, flight: Future[Any], work: Callable[[], Any]) -> Any:
        try:
            result = work()
        except BaseException as error:
            del self._flights[name]
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                flight.cancel()
            raise
        # Removed first, so that a later call starts again.
        del self._flights[name]
        flight.set_result(result)
        return result


class AsyncSingleFlight:
    """Single flight for tasks of one event loop. The work is a task of its own: cancelling a caller does not end it."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[Any]] = {}

    def under_way(self, name: str) -> bool:
        return name in self._flights

    async def join(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return or raise the result of `work`, started by this task or the first one."""
        flight = self._flights.get(name)
        if flight is None:
            flight = asyncio.ensure_future(work())
            if not flight.done():  # an eager task factory runs a task at once
                self._flights[name] = flight
                flight.add_done_callback(partial(self._land, name))
        return await asyncio.shield(flight)

    def _land(self, name: str, flight: asyncio.Future[Any]) -> None:
        del self._flights[name]  # before the callers continue, so that a later call starts again
        if not flight.cancelled():
            flight.exception()  # if every caller was cancelled, asyncio would log it as never retrieved
