"""Batching: many requests are served by one call in a thread."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final, Generic, TypeAlias, TypeVar

from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.observability.metrics import BATCH_DURATION, BATCH_ITEMS, BATCH_WAIT, OVERLOADS
from jeton.observability.tracing import Caller, tracing

_CLOSING_SECONDS: Final = 2

Item = TypeVar("Item")
Result = TypeVar("Result")
_Waiting: TypeAlias = tuple[Item, asyncio.Future[Result], Caller]
_Batch: TypeAlias = tuple[asyncio.AbstractEventLoop, list[_Waiting[Item, Result]]]


class BatcherBusyError(TemporarilyUnavailableError):
    """Too many requests are waiting: try again in a moment."""


class Batcher(Generic[Item, Result]):
    """Calls `work` once for all items that arrived during its previous call.

    Nothing is delayed on purpose: an item that arrives alone is processed alone. `work` runs in a thread of its own,
    which the first item starts, one call at a time, and returns a result or an exception for each item. An item whose
    caller has been cancelled before its batch starts is dropped.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        max_batch: int = 128,
        max_waiting: int = 4096,
    ) -> None:
        self._work = work
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[_Waiting[Item, Result]] = []
        self._waiting_since = 0.0
        self._running = False
        self._overloads = OVERLOADS.labels(name)
        self._items, self._wait = BATCH_ITEMS.labels(name), BATCH_WAIT.labels(name)
        self._duration = BATCH_DURATION.labels(name)
        self._batches: SimpleQueue[_Batch[Item, Result] | None] = SimpleQueue()
        # A daemon thread, because a database that hangs must not keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    async def __call__(self, item: Item) -> Result:
        """Return the result for one item. Raise what `work` raised, or returned for this item.

        Raise BatcherBusyError if `max_waiting` items are waiting already.
        """
        if len(self._waiting) >= self._max_waiting:
            self._overloads.inc()
            raise BatcherBusyError
        if self._thread.ident is None:
            # Before the item is taken: if there can be no thread, its caller is told.
            self._thread.start()
        if not self._waiting:
            self._waiting_since = time.perf_counter()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future, tracing.caller()))
        if not self._running:
            self._running = True
            # After this iteration of the loop, so that items that arrive within it join the batch.
            loop.call_soon(self._start, loop)
        return await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        wanted = [it for it in self._waiting if not it[1].done()]
        batch, self._waiting = wanted[: self._max_batch], wanted[self._max_batch :]
        self._running = bool(batch)
        if batch:
            now = time.perf_counter()
            self._items.observe(len(batch))
            self._wait.observe(now - self._waiting_since)
            self._waiting_since = now
            self._batches.put((loop, batch))

    def _start_after(self, iterations: int, loop: asyncio.AbstractEventLoop) -> None:
        """Start the next batch after a number of iterations of the loop. The loop does not block in any of them."""
        if iterations == 0:
            loop.call_soon(self._start, loop)
        else:
            loop.call_soon(self._start_after, iterations - 1, loop)

    def _run(self) -> None:
        """Process one batch after the other in the thread, until `close`."""
        while (next_batch := self._batches.get()) is not None:
            (loop, batch), began = next_batch, time.perf_counter()
            try:
                results = self._work([item for item, _, _ in batch])
            except Exception as error:  # noqa: BLE001 - each caller gets it
                results = [_own_copy(error) for _ in batch]
            seconds = time.perf_counter() - began
            self._duration.observe(seconds)
            # If the loop is closed, no caller is waiting any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._finish, loop, batch, results)
            if tracing.is_on:
                tracing.record_batch(self._thread.name, seconds, [caller for _, _, caller in batch], results)

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting[Item, Result]],
        results: Sequence[Result | Exception],
    ) -> None:
        for (_, future, _), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        # First the completed callers run, without the thread competing for the processor; then requests that arrived in
        # between are read. They join the next batch: a larger batch costs less for each item.
        self._start_after(2, loop)

    def close(self) -> None:
        """Finish the running batch. Wait for it for two seconds at most."""
        self._batches.put(None)
        if self._thread.ident is not None:
            self._thread.join(_CLOSING_SECONDS)


def _own_copy(error: Exception) -> Exception:
    """Return a copy for one caller: an exception that several callers raise would collect all their tracebacks."""
    own = error.__class__.__new__(error.__class__, *error.args)
    own.__dict__.update(error.__dict__)
    own.__cause__ = error.__cause__
    return own.with_traceback(error.__traceback__)
