"""Gathering: many requests, one piece of work in a thread."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class GatheringBusyError(Exception):
    """As many requests are waiting as there is room for: try again in a moment."""


class Gather(Generic[Item, Result]):
    """Does what is waiting together: `work` is called once for all items that came while it last ran.

    Nothing waits on purpose: an item that comes alone is done alone. `work` runs in a thread of its own, one call at
    a time, and gives a result, or an exception, for each item. An item whose caller gave up before its turn is
    dropped undone.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        most: int = 128,
        room: int = 4096,
    ) -> None:
        self._work = work
        self._most = most
        self._room = room
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running = False

    async def __call__(self, item: Item) -> Result:
        """The result for one item; raises what `work` raised or gave for it."""
        if len(self._waiting) >= self._room:
            raise GatheringBusyError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if not self._running:
            self._running = True
            # At the end of this turn of the loop: whoever is ready in the same turn comes along.
            loop.call_soon(self._start, loop)
        return await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        wanted = [(item, future) for item, future in self._waiting if not future.done()]
        group, self._waiting = wanted[: self._most], wanted[self._most :]
        self._running = bool(group)
        if group:
            done = self._thread.submit(self._work, [item for item, _ in group])
            done.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, loop, group, done))

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        group: list[tuple[Item, asyncio.Future[Result]]],
        done: Future[Sequence[Result | Exception]],
    ) -> None:
        error = done.exception()
        results = [error] * len(group) if error else done.result()
        for (_, future), result in zip(group, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._start(loop)

    def close(self) -> None:
        """Finishes what is under way."""
        self._thread.shutdown(wait=True)
