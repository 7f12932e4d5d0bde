"""Sessions that threads and tasks share, and the requests that carry their tokens (RFC 6750 section 2.1)."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl

import httpx2
import pytest

from clients.python.world import APP, ISSUER, METADATA, METADATA_URL
from jeton_client import AsyncTokenSession, BearerAuth, FileStorage, LoginRequiredError, TokenSession

API = "https://api.example"


class Internet:
    """An authorization server and a service, both by httpx2's MockTransport. Tokens are t1, t2, ..."""

    def __init__(self) -> None:
        self.issued = 0
        self.refreshes = 0
        self.rejected: set[str] = set()
        self.shown: list[str | None] = []
        self.slow = threading.Event()
        self.slow.set()
        self.over = False
        self.away = False

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        if str(request.url) == METADATA_URL:
            return httpx2.Response(200, json=METADATA)
        if request.url.host == "api.example":
            return self.serve(request)
        return self.issue(dict(parse_qsl(request.content.decode())))

    def issue(self, form: dict[str, str]) -> httpx2.Response:
        if form["grant_type"] == "refresh_token":
            self.slow.wait(10)
            if self.away:
                raise httpx2.ReadError("the connection was closed")
            self.refreshes += 1
            if self.over:
                return httpx2.Response(400, json={"error": "invalid_grant"})
        self.issued += 1
        members = {"access_token": f"t{self.issued}", "token_type": "Bearer", "expires_in": 600, "refresh_token": "r"}
        return httpx2.Response(200, json=members)

    def serve(self, request: httpx2.Request) -> httpx2.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.shown.append(token or None)
        return httpx2.Response(401 if token in self.rejected else 200, json=json.loads(request.read() or b"null"))

    async def handle_async(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        if request.headers.get("transfer-encoding") == "chunked":
            await request.aread()
        return self.handle(request)


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def http(internet: Internet) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=httpx2.MockTransport(internet.handle)) as client:
        yield client


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_fifty_threads_that_want_a_token_at_once_make_one_refresh(
    internet: Internet, http: httpx2.Client, clock: Clock
) -> None:
    session = TokenSession(ISSUER, APP, http=http, clock=clock)
    session.log_in("alice", "pw")
    clock.now += 600
    internet.slow.clear()

    with ThreadPoolExecutor(50) as pool:
        wanted = [pool.submit(session.access_token) for _ in range(50)]
        internet.slow.set()
        tokens = {it.result() for it in wanted}

    assert tokens == {"t2"}
    assert internet.refreshes == 1


async def test_fifty_tasks_that_want_a_token_at_once_make_one_refresh(internet: Internet, clock: Clock) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(internet.handle_async)) as http:
        session = AsyncTokenSession(ISSUER, APP, http=http, clock=clock)
        await session.log_in("alice", "pw")
        clock.now += 600

        tokens = await asyncio.gather(*[session.access_token() for _ in range(50)])

    assert set(tokens) == {"t2"}
    assert internet.refreshes == 1


async def test_a_caller_that_is_cancelled_does_not_end_the_refresh_of_the_others(
    internet: Internet, clock: Clock
) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(internet.handle_async)) as http:
        session = AsyncTokenSession(ISSUER, APP, http=http, clock=clock)
        await session.log_in("alice", "pw")
        clock.now += 600
        first, second = (asyncio.ensure_future(session.access_token()) for _ in range(2))
        await asyncio.sleep(0)

        first.cancel()

        assert await second == "t2"
        assert first.cancelled()
        assert internet.refreshes == 1


async def test_all_who_wait_are_told_that_the_session_is_over(internet: Internet, clock: Clock) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(internet.handle_async)) as http:
        session = AsyncTokenSession(ISSUER, APP, http=http, clock=clock)
        await session.log_in("alice", "pw")
        clock.now += 600
        internet.over = True

        told = await asyncio.gather(*[session.access_token() for _ in range(5)], return_exceptions=True)

    assert [type(it) for it in told] == [LoginRequiredError] * 5
    assert internet.refreshes == 1


def test_a_thread_goes_on_with_a_good_token_while_the_server_is_away(
    internet: Internet, http: httpx2.Client, clock: Clock
) -> None:
    session = TokenSession(ISSUER, APP, http=http, clock=clock)
    session.log_in("alice", "pw")
    clock.now += 550
    internet.away = True

    assert session.access_token() == "t1"

    clock.now += 50
    internet.away = False
    assert session.access_token() == "t2"


async def test_a_task_goes_on_with_a_good_token_while_the_server_is_away(internet: Internet, clock: Clock) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(internet.handle_async)) as http:
        session = AsyncTokenSession(ISSUER, APP, http=http, clock=clock)
        await session.log_in("alice", "pw")
        clock.now += 550
        internet.away = True

        assert await session.access_token() == "t1"

        clock.now += 50
        internet.away = False
        assert await session.access_token() == "t2"


def test_sessions_over_one_file_are_one_session(
    internet: Internet, http: httpx2.Client, clock: Clock, tmp_path: Path
) -> None:
    def opened() -> TokenSession:
        return TokenSession(ISSUER, APP, storage=FileStorage(tmp_path / "session.json"), http=http, clock=clock)

    opened().log_in("alice", "pw")
    clock.now += 600
    sessions = [opened() for _ in range(10)]

    with ThreadPoolExecutor(10) as pool:
        tokens = set(pool.map(TokenSession.access_token, sessions))

    assert tokens == {"t2"}
    assert internet.refreshes == 1


def test_requests_carry_the_token(internet: Internet, http: httpx2.Client) -> None:
    session = TokenSession(ISSUER, APP, http=http)
    session.log_in("alice", "pw")

    response = http.post(f"{API}/orders", json={"a": 1}, auth=BearerAuth(session, [API]))

    assert (response.status_code, response.json(), internet.shown) == (200, {"a": 1}, ["t1"])


def test_after_a_401_it_renews_once_and_repeats_once(internet: Internet, http: httpx2.Client) -> None:
    session = TokenSession(ISSUER, APP, http=http)
    session.log_in("alice", "pw")
    internet.rejected = {"t1"}

    response = http.post(f"{API}/orders", json={"a": 1}, auth=BearerAuth(session, [API]))

    assert (response.status_code, response.json(), internet.shown) == (200, {"a": 1}, ["t1", "t2"])
    assert internet.refreshes == 1


def test_a_service_that_takes_no_token_gets_two(internet: Internet, http: httpx2.Client) -> None:
    session = TokenSession(ISSUER, APP, http=http)
    session.log_in("alice", "pw")
    internet.rejected = {"t1", "t2"}

    assert http.get(API, auth=BearerAuth(session, [API])).status_code == 401

    assert internet.shown == ["t1", "t2"]
    assert internet.refreshes == 1


async def test_many_401s_of_one_token_make_one_refresh(internet: Internet) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(internet.handle_async)) as http:
        session = AsyncTokenSession(ISSUER, APP, http=http)
        await session.log_in("alice", "pw")
        internet.rejected = {"t1"}
        auth = BearerAuth(session, [API])

        answers = await asyncio.gather(*[http.get(API, auth=auth) for _ in range(20)])

    assert {answer.status_code for answer in answers} == {200}
    assert internet.refreshes == 1


def test_a_stream_is_not_sent_twice(internet: Internet, http: httpx2.Client) -> None:
    session = TokenSession(ISSUER, APP, http=http)
    session.log_in("alice", "pw")
    internet.rejected = {"t1"}

    response = http.post(API, content=iter([b'"a', b'b"']), auth=BearerAuth(session, [API]))

    assert (response.status_code, internet.shown) == (401, ["t1"])


@pytest.mark.parametrize(
    "url", ["https://evil.example", "https://api.example:8443", "https://api.example.evil.example"]
)
def test_no_token_goes_to_another_origin(internet: Internet, http: httpx2.Client, url: str) -> None:
    session = TokenSession(ISSUER, APP, http=http)
    session.log_in("alice", "pw")

    with pytest.raises(ValueError, match="no token is sent to"):
        http.get(url, auth=BearerAuth(session, [API]))

    assert internet.shown == []


def test_a_client_for_threads_needs_a_session_for_threads(http: httpx2.Client) -> None:
    with pytest.raises(TypeError, match="requires TokenSession"):
        http.get(API, auth=BearerAuth(AsyncTokenSession(ISSUER, APP), [API]))


def test_nothing_that_is_printed_holds_a_secret(http: httpx2.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    session = TokenSession(ISSUER, APP, http=http)
    session.log_in("alice", "the-password")
    auth = BearerAuth(session, [API])
    http.get(API, auth=auth)

    printed = repr([session, auth, APP, session._operations, session._operations._session]) + caplog.text

    assert not any(secret in printed for secret in ("t1", "the-password", "the-secret"))
