"""Gathering: many requests, one piece of work in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final, Generic, TypeAlias, TypeVar

from jeton.oauth.errors import TemporarilyUnavailableError

_CLOSING_SECONDS: Final = 2

Item = TypeVar("Item")
Result = TypeVar("Result")
_Waiting: TypeAlias = tuple[Item, asyncio.Future[Result]]


class BatcherBusyError(TemporarilyUnavailableError):
    """As many requests are waiting as there is room for: try again in a moment."""


class Batcher(Generic[Item, Result]):
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
        self._waiting: list[_Waiting[Item, Result]] = []
        self._running = False
        self._groups: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Waiting[Item, Result]]] | None] = SimpleQueue()
        # A daemon: a database that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def __call__(self, item: Item) -> Result:
        """The result for one item; raises what `work` raised or gave for it."""
        if len(self._waiting) >= self._room:
            raise BatcherBusyError
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
            self._groups.put((loop, group))

    def _start_after(self, turns: int, loop: asyncio.AbstractEventLoop) -> None:
        """When the loop has come round so many times; it rests at none of them."""
        if turns == 0:
            loop.call_soon(self._start, loop)
        else:
            loop.call_soon(self._start_after, turns - 1, loop)

    def _run(self) -> None:
        """The thread: one group after the other, until it is told to end."""
        while (given := self._groups.get()) is not None:
            loop, group = given
            try:
                results = self._work([item for item, _ in group])
            except Exception as error:  # noqa: BLE001 - it is handed to everybody whom it concerns
                results = [error] * len(group)
            # The loop may be gone: then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._finish, loop, group, results)

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        group: list[_Waiting[Item, Result]],
        results: Sequence[Result | Exception],
    ) -> None:
        for (_, future), result in zip(group, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        # First those who have their result go on, undisturbed by the thread; then whoever has come meanwhile is read
        # and heard: the next group is larger, and costs each of them less.
        self._start_after(2, loop)

    def close(self) -> None:
        """Finishes what is under way, but waits no longer than a moment for it."""
        self._groups.put(None)
        self._thread.join(_CLOSING_SECONDS)
