"""How steps are taken: requests sent once and to one place, answers bounded, nothing half done by who is cancelled."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import anyio
import httpx2
import pytest

from jeton_client.executors import AsyncExecutor, Executor
from jeton_client.messages import Answer, Request
from jeton_client.operations import Do, Operation

ASK = Request("POST", "https://as.example/token", {"authorization": "Basic x"}, {"a": "b"})

Run = Callable[[Callable[[httpx2.Request], httpx2.Response]], Answer | None]


def operation() -> Operation[Answer | None]:
    answer: Answer | None = yield ASK
    return answer


def by_thread(handle: Callable[[httpx2.Request], httpx2.Response]) -> Answer | None:
    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        return Executor(http).run(operation())


def by_task(handle: Callable[[httpx2.Request], httpx2.Response]) -> Answer | None:
    async def run() -> Answer | None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handle)) as http:
            return await AsyncExecutor(http).run(operation())

    return asyncio.run(run())


both = pytest.mark.parametrize("run", [by_thread, by_task], ids=["thread", "task"])


@both
def test_an_answer_comes_back_whole(run: Run) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(201, headers={"ETag": '"1"'}, content=request.content)

    answer = run(handle)

    assert answer is not None
    assert (answer.status, answer.headers["etag"], answer.body) == (201, '"1"', b"a=b")


@both
def test_no_redirect_is_followed(run: Run) -> None:
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(307, headers={"Location": "https://evil.example/"})

    answer = run(handle)

    assert answer is not None
    assert (answer.status, asked) == (307, ["https://as.example/token"])


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
    ids=repr,
)
def test_an_answer_that_does_not_come_is_none(run: Run, error: Exception) -> None:
    def handle(_: httpx2.Request) -> httpx2.Response:
        raise error

    assert run(handle) is None


def respond_with(text: bytes) -> Callable[[socket.socket], None]:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(text)

    return serve


@both
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        b"SSH-2.0-OpenSSH\r\n",
    ],
    ids=["closed", "cut short", "a chunk cut short", "no gzip", "no length", "no HTTP"],
)
def test_an_answer_that_is_broken_on_its_way_is_none(run: Run, text: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=respond_with(text), args=[listener])
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        answer = run_for_real(run, Request("POST", url, {}, {"a": "b"}))
        server.join()

    assert answer is None


def run_for_real(run: Run, request: Request) -> Answer | None:
    """By sockets instead of a handler."""

    def asking() -> Operation[Answer | None]:
        answer: Answer | None = yield request
        return answer

    async def by_tasks() -> Answer | None:
        executor = AsyncExecutor()
        answer = await executor.run(asking())
        await executor.close()
        return answer

    if run is by_task:
        return asyncio.run(by_tasks())
    executor = Executor()
    answer = executor.run(asking())
    executor.close()
    return answer


def test_a_client_that_was_closed_gets_no_answer() -> None:
    executor = Executor()
    executor.close()

    assert executor.run(operation()) is None


class Parts(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Ten bytes, in ten parts."""

    def __iter__(self) -> Iterator[bytes]:
        yield from [b"x"] * 10

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


@both
@pytest.mark.parametrize(("limit", "is_lost"), [("MAX_BYTES", True), ("MAX_SECONDS", True), (None, False)])
def test_an_answer_that_has_no_end_is_none(
    run: Run, limit: str | None, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr(f"jeton_client.executors.{limit}", {"MAX_BYTES": 9, "MAX_SECONDS": -1}[limit])

    assert (run(lambda _: httpx2.Response(200, stream=Parts())) is None) == is_lost


async def test_what_a_thread_does_is_done_before_who_is_cancelled_goes_on() -> None:
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
