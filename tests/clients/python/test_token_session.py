"""Sessions of threads and tasks, beyond the scenarios: cancellation, jitter, locks, storages, requests with tokens."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

import httpx2
import pytest

from clients.python.failing_storage import FailingStorage
from clients.python.scenario import CLIENT
from clients.python.vectors import AUDIENCE, ISSUER, SERVER, START
from jeton_client import (
    AsyncTokenSession,
    AuthorizationRequest,
    BearerAuth,
    LoginRequiredError,
    MemoryStorage,
    ServerUnavailableError,
    StorageUnusableError,
    TokenSession,
    UntrustedServerError,
)
from jeton_client.session import Session
from jeton_client.token_answers import Tokens


class Server:
    """A server that issues tokens to every request and counts refreshes, beside a service that responds 401."""

    def __init__(self) -> None:
        self.refreshes = 0
        self.orders = 0
        self.revoked: list[str] = []
        self.codes: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "api.example":
            self.orders += 1
            return httpx2.Response(401)
        if request.method == "GET":
            return httpx2.Response(200, json=SERVER["answers"]["metadata"]["body"])
        form = dict(parse_qsl(request.content.decode()))
        if request.url.path == "/revoke":
            self.revoked.append(form["token"])
            return httpx2.Response(200)
        self.codes += [form["code"]] if "code" in form else []
        self.refreshes += "refresh_token" in form
        return httpx2.Response(200, json=SERVER["answers"]["tokens 2"]["body"])


def stored(storage: MemoryStorage, expires_at: float = START) -> MemoryStorage:
    storage.save(Session(Tokens("access-1", START - 600, expires_at, "refresh-1"), "password"))
    return storage


def session_of(server: Server, storage: MemoryStorage) -> TokenSession:
    http = httpx2.Client(transport=httpx2.MockTransport(server))
    return TokenSession(ISSUER, CLIENT, storage=storage, http=http, clock=lambda: START)


async def test_cancelling_one_caller_does_not_end_the_refresh_of_the_others() -> None:
    server = Server()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(server)) as http:
        session = AsyncTokenSession(ISSUER, CLIENT, storage=stored(MemoryStorage()), http=http, clock=lambda: START)
        first, second = (asyncio.ensure_future(session.access_token()) for _ in range(2))
        await asyncio.sleep(0)

        first.cancel()

        assert await second == "access-2"
        assert first.cancelled()
    assert server.refreshes == 1


async def test_a_rejected_token_is_not_returned_to_a_caller_that_renews_beside_another() -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(Server())) as http:
        storage = stored(MemoryStorage(), START + 600)
        session = AsyncTokenSession(ISSUER, CLIENT, storage=storage, http=http, clock=lambda: START)

        _, renewed = await asyncio.gather(session.renew("access-0"), session.renew("access-1"))

    assert renewed == "access-2"


def test_a_session_can_end_while_its_token_is_read() -> None:
    times: list[Callable[[], None]] = []

    def clock() -> float:
        if times:
            times.pop()()
        return START

    http = httpx2.Client(transport=httpx2.MockTransport(Server()))
    session = TokenSession(ISSUER, CLIENT, storage=stored(MemoryStorage(), START + 600), http=http, clock=clock)
    assert session.access_token() == "access-1"
    times.append(session.log_out)

    with pytest.raises(LoginRequiredError):
        session.access_token()


async def test_a_cancelled_logout_revokes_the_session() -> None:
    server = Server()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(server)) as http:
        storage = stored(MemoryStorage(), START + 600)
        session = AsyncTokenSession(ISSUER, CLIENT, storage=storage, http=http, clock=lambda: START)
        logout = asyncio.ensure_future(session.log_out())
        while storage.load() is not None:
            await asyncio.sleep(0)

        logout.cancel()
        await session.log_out()

    assert server.revoked == ["refresh-1"]


async def test_a_redirect_that_is_handled_twice_at_once_is_redeemed_once() -> None:
    server = Server()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(server)) as http:
        session = AsyncTokenSession(ISSUER, CLIENT, http=http, clock=lambda: START)
        _, pending = await session.start_authorization(AuthorizationRequest("https://app.example/callback"))
        callback = f"code=code-1&state={pending.state}&iss={quote(ISSUER, safe='')}"

        first, second = await asyncio.gather(*[session.finish_authorization(pending, callback) for _ in range(2)])

    assert first is second
    assert server.codes == ["code-1"]


def test_renewals_of_many_sessions_are_spread() -> None:
    server = Server()
    for _ in range(100):
        session_of(server, stored(MemoryStorage(), expires_at=START + 90)).access_token()

    assert 10 < server.refreshes < 90


def test_a_lock_that_is_never_released_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("jeton_client.executors.time.sleep", waited.append)
    storage = stored(MemoryStorage())
    storage.try_lock()

    with pytest.raises(ServerUnavailableError, match="another process"):
        session_of(Server(), storage).access_token()

    assert 120 <= sum(waited) <= 121


@pytest.mark.parametrize("method", ["load", "save", "lock"])
@pytest.mark.parametrize("error", [KeyError("x"), StorageUnusableError("x")])
def test_every_error_of_a_storage_means_that_it_is_unusable(method: str, error: Exception) -> None:
    storage = stored(FailingStorage())
    storage.failing = {method: error}  # type: ignore[attr-defined]

    with pytest.raises(StorageUnusableError):
        session_of(Server(), storage).access_token()


def test_a_storage_that_returns_something_else_is_unusable() -> None:
    storage = MemoryStorage()
    storage.save({"access_token": "access-1"})  # type: ignore[arg-type]

    with pytest.raises(StorageUnusableError):
        session_of(Server(), storage).access_token()


def test_a_storage_can_have_a_length() -> None:
    class Sized(MemoryStorage):
        def __len__(self) -> int:
            return int(self.load() is not None)

    storage = Sized()
    session_of(Server(), storage).log_in("alice", "the-password")

    assert len(storage) == 1


@pytest.mark.parametrize("issuer", ["http://as.example", "as.example", "https://as.example?x"])
def test_an_issuer_that_is_not_secure_is_refused_at_once(issuer: str) -> None:
    with pytest.raises(UntrustedServerError):
        TokenSession(issuer, CLIENT)


def test_a_token_is_sent_to_a_listed_origin_however_it_is_written_and_to_no_other() -> None:
    server = Server()
    auth = BearerAuth(session_of(server, stored(MemoryStorage(), START + 600)), [AUDIENCE])
    others = ["https://evil.example", "https://api.example:8443", "https://api.example.evil.example"]
    others += ["https://api.example@evil.example", "http://api.example"]

    with httpx2.Client(transport=httpx2.MockTransport(server)) as http:
        for url in others:
            with pytest.raises(ValueError, match="no token is sent"):
                http.get(url, auth=auth)
        assert server.orders == 0

        for url in ("https://API.example:443/orders", "https://user:password@api.example"):
            http.get(url, auth=auth)

    assert server.orders == 4


def test_a_body_that_is_a_stream_is_sent_once() -> None:
    server = Server()
    auth = BearerAuth(session_of(server, stored(MemoryStorage(), START + 600)), [AUDIENCE])

    with httpx2.Client(transport=httpx2.MockTransport(server)) as http:
        assert http.post(AUDIENCE, content=iter([b"a", b"b"]), auth=auth).status_code == 401

    assert (server.orders, server.refreshes) == (1, 0)


async def test_clients_of_threads_and_tasks_need_sessions_of_their_kind() -> None:
    with httpx2.Client() as http, pytest.raises(TypeError, match="requires TokenSession"):
        http.get(AUDIENCE, auth=BearerAuth(AsyncTokenSession(ISSUER, CLIENT), [AUDIENCE]))
    async with httpx2.AsyncClient() as tasks:
        with pytest.raises(TypeError, match="requires AsyncTokenSession"):
            await tasks.get(AUDIENCE, auth=BearerAuth(TokenSession(ISSUER, CLIENT), [AUDIENCE]))
