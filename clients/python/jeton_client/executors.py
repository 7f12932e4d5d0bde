"""Take the steps of operations: send requests by httpx2, wait, call, share. One executor for threads, one for tasks."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import httpx2

from jeton_client.messages import Answer, Request
from jeton_client.operations import Do, Operation, Shared, Step, T, Wait
from jeton_client.single_flight import AsyncSingleFlight, SingleFlight

MAX_BYTES: Final = 8 * 1024 * 1024
TIMEOUT_SECONDS: Final = 5.0  # without a byte
MAX_SECONDS: Final = 15.0  # for all of them


class Executor:
    """For threads. It closes `http` only where it made it."""

    def __init__(self, http: httpx2.Client | None = None) -> None:
        self._owned = http is None
        self._http = http or httpx2.Client(timeout=TIMEOUT_SECONDS)
        self.flights = SingleFlight()

    def run(self, operation: Operation[T]) -> T:
        """What the operation returns or raises."""
        advance: Callable[[], Step] = partial(operation.send, None)
        while True:
            try:
                step = advance()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's value has its type, StopIteration's none
            try:
                advance = partial(operation.send, self._take(step))
            except BaseException as error:  # noqa: BLE001 - the operation knows what to do, or lets it pass
                advance = partial(operation.throw, error)

    def close(self) -> None:
        if self._owned:
            self._http.close()

    def _take(self, step: Step) -> Any:
        match step:
            case Request():
                return self._send(step)
            case Wait(seconds):
                return time.sleep(seconds)
            case Do(call):
                return call()
            case Shared(name, operation, background):
                if background and self.flights.under_way(name):
                    return None
                return self.flights.join(name, lambda: self.run(operation()))

    def _send(self, request: Request) -> Answer | None:
        until = time.monotonic() + MAX_SECONDS
        try:
            with self._http.stream(request.method, request.url, **_arguments(request)) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_BYTES or time.monotonic() > until:
                        return None
                return _answer(response, body)
        except Exception:  # noqa: BLE001 - transports raise more than they say: whatever it was, no answer came
            return None


class AsyncExecutor:
    """For the tasks of one event loop of asyncio. It closes `http` only where it made it."""

    def __init__(self, http: httpx2.AsyncClient | None = None) -> None:
        self._owned = http is None
        self._http = http or httpx2.AsyncClient(timeout=TIMEOUT_SECONDS)
        self.flights = AsyncSingleFlight()

    async def run(self, operation: Operation[T]) -> T:
        """What the operation returns or raises."""
        advance: Callable[[], Step] = partial(operation.send, None)
        while True:
            try:
                step = advance()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # see Executor.run
            try:
                advance = partial(operation.send, await self._take(step))
            except BaseException as error:  # noqa: BLE001 - the operation knows what to do, or lets it pass
                advance = partial(operation.throw, error)

    async def close(self) -> None:
        if self._owned:
            await self._http.aclose()

    async def _take(self, step: Step) -> Any:
        match step:
            case Request():
                return await self._send(step)
            case Wait(seconds):
                return await asyncio.sleep(seconds)
            case Do(call):
                return await _finished(asyncio.ensure_future(asyncio.to_thread(call)))
            case Shared(name, operation, background):
                if background and self.flights.under_way(name):
                    return None
                return await self.flights.join(name, lambda: self.run(operation()))

    async def _send(self, request: Request) -> Answer | None:
        until = time.monotonic() + MAX_SECONDS
        try:
            async with self._http.stream(request.method, request.url, **_arguments(request)) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES or time.monotonic() > until:
                        return None
                return _answer(response, body)
        except Exception:  # noqa: BLE001 - transports raise more than they say: whatever it was, no answer came
            return None


async def _finished(task: "asyncio.Task[Any]") -> Any:
    """What the task returns; whoever is cancelled waits for its end, since a thread cannot be stopped on its way."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _arguments(request: Request) -> dict[str, Any]:
    # No redirect is followed: credentials go to the address that was announced, and nowhere else.
    return {"headers": dict(request.headers), "content": request.body, "follow_redirects": False, "auth": None}


def _answer(response: httpx2.Response, body: bytearray) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, bytes(body))
