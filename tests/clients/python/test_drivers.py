"""How steps are taken: requests sent once and to one place, answers bounded, nothing half done by who is cancelled."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest

from jeton_client.drivers import AsyncDriver, Driver
from jeton_client.messages import Answer, Request
from jeton_client.plans import Do, Plan

ASK = Request("POST", "https://as.example/token", {"authorization": "Basic x"}, {"a": "b"})

Run = Callable[[Callable[[httpx2.Request], httpx2.Response]], Answer | None]


def plan() -> Plan[Answer | None]:
    answer: Answer | None = yield ASK
    return answer


def by_thread(handle: Callable[[httpx2.Request], httpx2.Response]) -> Answer | None:
    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        return Driver(http).run(plan())


def by_task(handle: Callable[[httpx2.Request], httpx2.Response]) -> Answer | None:
    async def run() -> Answer | None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handle)) as http:
            return await AsyncDriver(http).run(plan())

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
@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ReadTimeout, httpx2.RemoteProtocolError])
def test_an_answer_that_does_not_come_is_none(run: Run, error: type[httpx2.TransportError]) -> None:
    def handle(_: httpx2.Request) -> httpx2.Response:
        raise error("lost")

    assert run(handle) is None


class Parts(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Ten bytes, in ten parts."""

    def __iter__(self) -> Iterator[bytes]:
        yield from [b"x"] * 10

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


@both
@pytest.mark.parametrize(("limit", "is_lost"), [("MOST_BYTES", True), ("MOST_SECONDS", True), (None, False)])
def test_an_answer_that_has_no_end_is_none(
    run: Run, limit: str | None, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr(f"jeton_client.drivers.{limit}", {"MOST_BYTES": 9, "MOST_SECONDS": -1}[limit])

    assert (run(lambda _: httpx2.Response(200, stream=Parts())) is None) == is_lost


async def test_what_a_thread_does_is_done_before_who_is_cancelled_goes_on() -> None:
    begun, finish, done = threading.Event(), threading.Event(), threading.Event()

    def save() -> None:
        begun.set()
        finish.wait(5)
        done.set()

    def saving() -> Plan[None]:
        yield Do(save)

    driver = AsyncDriver()
    task = asyncio.ensure_future(driver.run(saving()))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    finish.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
    await driver.close()
