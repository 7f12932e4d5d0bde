"""Executors of operations: one request to one origin, bounded responses, and complete cancellation."""

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx2
import pytest

from jeton_client.executors import AsyncExecutor, Executor
from jeton_client.messages import Answer, Request
from jeton_client.operations import Do, Operation
from jeton_client.single_flight import AsyncSingleFlight, SingleFlight

REQUEST = Request("POST", "https://as.example/token", {"authorization": "Basic x"}, {"a": "b"})

Handler = Callable[[httpx2.Request], httpx2.Response]
Run = Callable[[Handler | None, Request], Answer | None]


def operation(request: Request) -> Operation[Answer | None]:
    answer: Answer | None = yield request
    return answer


def with_threads(handle: Handler | None, request: Request = REQUEST) -> Answer | None:
    executor = Executor(handle and httpx2.Client(transport=httpx2.MockTransport(handle)))
    answer = executor.run(operation(request))
    executor.close()
    return answer


def with_tasks(handle: Handler | None, request: Request = REQUEST) -> Answer | None:
    async def run() -> Answer | None:
        executor = AsyncExecutor(handle and httpx2.AsyncClient(transport=httpx2.MockTransport(handle)))
        answer = await executor.run(operation(request))
        await executor.close()
        return answer

    return asyncio.run(run())


both = pytest.mark.parametrize("run", [with_threads, with_tasks])


@both
def test_a_response_is_complete_and_a_redirect_is_not_followed(run: Run) -> None:
    urls: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        urls.append(str(request.url))
        return httpx2.Response(
            307, headers={"ETag": '"1"', "Location": "https://evil.example/"}, content=request.content
        )

    answer = run(handle, REQUEST)

    assert answer is not None
    assert (answer.status, answer.headers["etag"], answer.body) == (307, '"1"', b"a=b")
    assert urls == ["https://as.example/token"]


@both
@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError("lost"),
        httpx2.ReadTimeout("lost"),
        httpx2.RemoteProtocolError("GOAWAY"),
        httpx2.TooManyRedirects("lost"),
        httpx2.StreamClosed(),
        httpx2.InvalidURL("lost"),
        anyio.ClosedResourceError(),
        ssl.SSLError("lost"),
        ConnectionResetError("lost"),
        RuntimeError("Cannot send a request, as the client has been closed."),
        ExceptionGroup("lost", [anyio.BrokenResourceError()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_of_a_transport_means_no_response(run: Run, error: Exception) -> None:
    def handle(_: httpx2.Request) -> httpx2.Response:
        raise error

    assert run(handle, REQUEST) is None


@both
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="closed"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", id="cut short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", id="a chunk cut short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", id="no gzip"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", id="no length"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="no HTTP"),
    ],
)
def test_a_broken_response_is_no_response(run: Run, text: bytes) -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(text)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=[listener])
        server.start()
        answer = run(None, Request("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, {"a": "b"}))
        server.join()

    assert answer is None


def test_a_closed_client_gets_no_response() -> None:
    executor = Executor()
    executor.close()

    assert executor.run(operation(REQUEST)) is None


def test_only_an_own_client_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    given, own = httpx2.Client(), httpx2.Client()
    options: dict[str, float] = {}

    def create(**given_options: float) -> httpx2.Client:
        options.update(given_options)
        return own

    monkeypatch.setattr("jeton_client.executors.httpx2.Client", create)
    for executor in (Executor(given), Executor()):
        executor.close()

    assert (given.is_closed, own.is_closed, options) == (False, True, {"timeout": 5})
    given.close()


class Parts(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body of ten bytes in ten parts."""

    def __iter__(self) -> Iterator[bytes]:
        yield from [b"x"] * 10

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


@both
@pytest.mark.parametrize(
    ("limits", "body"),
    [({"MAX_BYTES": 9}, None), ({"MAX_SECONDS": -1}, None), ({"MAX_BYTES": 10}, b"x" * 10)],
    ids=["too long", "too slow", "just short enough"],
)
def test_a_response_without_end_is_no_response(
    run: Run, limits: dict[str, int], body: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in limits.items():
        monkeypatch.setattr(f"jeton_client.executors.{name}", limit)

    answer = run(lambda _: httpx2.Response(200, stream=Parts()), REQUEST)

    assert (answer and answer.body) == body


async def test_cancellation_waits_for_the_end_of_a_call_in_a_thread() -> None:
    begun, finish, done = threading.Event(), threading.Event(), threading.Event()

    def save() -> None:
        begun.set()
        finish.wait(5)
        done.set()

    def saving() -> Operation[None]:
        yield Do(save)

    executor = AsyncExecutor()
    task = asyncio.ensure_future(executor.run(saving()))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    finish.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
    await executor.close()


class Interruption(BaseException):
    """Like KeyboardInterrupt, which would end the tests, or a time limit of gevent."""


def test_a_thread_that_is_interrupted_does_not_interrupt_those_that_wait() -> None:
    flights, begun = SingleFlight(), threading.Event()

    def wait_for_other() -> str:
        begun.set()
        while not flights._flights["work"]._condition._waiters:  # type: ignore[attr-defined]
            pass
        raise Interruption

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.join, "work", wait_for_other)
        begun.wait(5)
        second = pool.submit(flights.join, "work", lambda: "done")

        assert second.result(5) == "done"
        with pytest.raises(Interruption):
            first.result(5)


async def test_work_that_ends_at_once_is_shared_with_an_eager_task_factory() -> None:
    def run_at_once(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, int]) -> asyncio.Future[int]:
        future = loop.create_future()
        with pytest.raises(StopIteration) as end:
            work.send(None)
        future.set_result(end.value.value)
        return future

    async def work() -> int:
        return 1

    asyncio.get_running_loop().set_task_factory(run_at_once)  # type: ignore[arg-type]
    flights = AsyncSingleFlight()

    assert [await flights.join("work", work) for _ in range(2)] == [1, 1]
    assert not flights.under_way("work")


async def test_the_error_of_abandoned_work_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    fail, flights = asyncio.Event(), AsyncSingleFlight()

    async def work() -> None:
        await fail.wait()
        raise ValueError

    caller = asyncio.ensure_future(flights.join("work", work))
    await asyncio.sleep(0)
    caller.cancel()
    fail.set()
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()

    assert caller.cancelled()
    assert not flights.under_way("work")
    assert not caplog.records
