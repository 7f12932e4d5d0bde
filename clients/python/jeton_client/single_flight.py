"""Many who want the same at once: one does it, all get what came of it, be it a value or an error."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any


class SingleFlight:
    """For threads."""

    def __init__(self) -> None:
        self._flights: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def under_way(self, name: str) -> bool:
        return name in self._flights

    def join(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` returns or raises, done by this thread or by the one that came first."""
        with self._lock:
            flight = self._flights.get(name)
            leads = flight is None
            if flight is None:
                flight = self._flights[name] = Future()
        if leads:
            self._lead(name, flight, work)
        return flight.result()

    def _lead(self, name: str, flight: Future[Any], work: Callable[[], Any]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is told to all who wait, this thread too
            del self._flights[name]
            flight.set_exception(error)
        else:
            # Out of the way first: whoever comes after the end begins anew.
            del self._flights[name]
            flight.set_result(result)


class AsyncSingleFlight:
    """For the tasks of one event loop. The work is a task of its own: a caller that is cancelled does not end it."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[Any]] = {}

    def under_way(self, name: str) -> bool:
        return name in self._flights

    async def join(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """What `work` returns or raises, begun by this task or by the one that came first."""
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = asyncio.ensure_future(self._lead(name, work))
            flight.add_done_callback(_look_at_error)
        return await asyncio.shield(flight)

    async def _lead(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await work()
        finally:
            del self._flights[name]


def _look_at_error(flight: "asyncio.Task[Any]") -> None:
    """Where every caller was cancelled nobody else does, and asyncio would complain."""
    if not flight.cancelled():
        flight.exception()
