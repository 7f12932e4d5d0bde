"""Executors run operations: they send requests with httpx2, wait, call, share. One for threads, one for tasks."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self

import httpx2

from jeton_client.messages import Answer, Request
from jeton_client.operations import Do, Operation, Shared, Step, T, Wait
from jeton_client.single_flight import AsyncSingleFlight, SingleFlight

MAX_BYTES: Final = 8 * 1024 * 1024
TIMEOUT_SECONDS: Final = 5.0  # without receiving a byte
MAX_SECONDS: Final = 15.0  # for the whole response


class Executor:
    """Executor for threads. It closes `http` only if it created it."""

    def __init__(self, http: httpx2.Client | None = None) -> None:
        self._owned = http is None
        self._http = http or httpx2.Client(timeout=TIMEOUT_SECONDS)
        self.flights = SingleFlight()

    def run(self, operation: Operation[T]) -> T:
        """Run the operation; return or raise its result."""
        advance: Callable[[], Step] = partial(operation.send, None)
        while True:
            try:
                step = advance()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # StopIteration is not generic
            try:
                advance = partial(operation.send, self._take(step))
            except BaseException as error:  # noqa: BLE001 - the operation handles it, or lets it pass
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
        until, arguments = time.monotonic() + MAX_SECONDS, _arguments(request)
        try:
            with self._http.stream(request.method, request.url, **arguments) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_BYTES or time.monotonic() > until:
                        return None
                return _answer(response, body)
        except Exception:  # noqa: BLE001 - transports raise undocumented errors; each means no response
            return None


class AsyncExecutor:
    """Executor for the tasks of one asyncio event loop. It closes `http` only if it created it."""

    def __init__(self, http: httpx2.AsyncClient | None = None) -> None:
        self._owned = http is None
        self._http = http or httpx2.AsyncClient(timeout=TIMEOUT_SECONDS)
        self.flights = AsyncSingleFlight()

    async def run(self, operation: Operation[T]) -> T:
        """Run the operation; return or raise its result."""
        advance: Callable[[], Step] = partial(operation.send, None)
        while True:
            try:
                step = advance()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # see Executor.run
            try:
                advance = partial(operation.send, await self._take(step))
            except BaseException as error:  # noqa: BLE001 - the operation handles it, or lets it pass
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
        until, arguments = time.monotonic() + MAX_SECONDS, _arguments(request)
        try:
            async with self._http.stream(request.method, request.url, **arguments) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES or time.monotonic() > until:
                        return None
                return _answer(response, body)
        except Exception:  # noqa: BLE001 - transports raise undocumented errors; each means no response
            return None


class WithExecutor:
    """Base of classes for threads: `close`, or the end of a `with` block, closes the executor."""

    def __init__(self, http: httpx2.Client | None) -> None:
        self._executor = Executor(http)

    def close(self) -> None:
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WithAsyncExecutor:
    """Base of classes for tasks: `close`, or the end of an `async with` block, closes the executor."""

    def __init__(self, http: httpx2.AsyncClient | None) -> None:
        self._executor = AsyncExecutor(http)

    async def close(self) -> None:
        await self._executor.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _finished(task: "asyncio.Task[Any]") -> Any:
    """Return the result of the task. If cancelled, first wait for its end, because a thread cannot be interrupted."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _arguments(request: Request) -> dict[str, Any]:
    # Redirects are not followed: credentials are sent only to the announced URL.
    return {"headers": dict(request.headers), "content": request.body, "follow_redirects": False, "auth": None}


def _answer(response: httpx2.Response, body: bytearray) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, bytes(body))
