"""The Python client with a live server: it detects ended sessions; lost responses, rotations and restarts end none."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from jwt import decode, get_unverified_header

from jeton.storage.families import load_families
from jeton_client import (
    AsyncTokenSession,
    AsyncVerifier,
    Client,
    FileStorage,
    InvalidTokenError,
    ServerUnavailableError,
    VerificationUnavailableError,
)
from support.in_process_server import ISSUER, PASSWORD, Running
from support.lossy_proxy import lossy_proxy
from support.refresh_load import CLIENT_ID, USERNAME, Session, add_accounts, stored
from support.server_processes import free_port, run_jeton, server_process

T = TypeVar("T")

AUDIENCE = ISSUER  # the default one


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite by default, because the client does not depend on the database."""
    return str(request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url"))


@pytest.fixture
async def session(jeton: Running) -> AsyncTokenSession:
    app, user = jeton.add_client(), jeton.add_user()
    session = AsyncTokenSession(ISSUER, Client(app.client_id, app.secret), http=jeton.http, clock=jeton.clock.now)
    await session.log_in(user.username, PASSWORD)
    return session


@pytest.fixture
async def request_counts(jeton: Running) -> AsyncIterator[Counter[str]]:
    """The number of requests by path."""
    counter: Counter[str] = Counter()

    async def count(request: httpx2.Request) -> None:
        counter[request.url.path] += 1

    jeton.http.event_hooks = {"request": [count]}
    yield counter
    jeton.http.event_hooks = {}


@pytest.fixture
def verifier(jeton: Running) -> AsyncVerifier:
    return AsyncVerifier(ISSUER, AUDIENCE, http=jeton.http, clock=jeton.clock.now, monotonic=jeton.clock.now)


async def test_an_ended_session_is_refused_within_five_seconds_without_a_call_per_request(
    jeton: Running, session: AsyncTokenSession, verifier: AsyncVerifier, request_counts: Counter[str]
) -> None:
    token = await session.access_token()

    async def handle_requests_for_a_second() -> list[bool]:
        """Handle a hundred requests; the server reads its database every two seconds."""
        if jeton.clock.now() % 2 == 0:
            jeton.shared_state.refresh()
        results = [await _is_good(verifier, token) for _ in range(100)]
        jeton.clock.advance(1)
        return results

    for _ in range(5):
        assert all(await handle_requests_for_a_second())
    await session.log_out()
    ended = [await handle_requests_for_a_second() for _ in range(6)]

    assert not any(ended[5])
    assert sum(count for path, count in request_counts.items() if path.startswith("/oauth/status")) <= 6
    assert (request_counts["/.well-known/jwks.json"], request_counts["/oauth/introspect"]) == (1, 0)


async def _is_good(verifier: AsyncVerifier, token: str) -> bool:
    try:
        await verifier.verify(token)
    except InvalidTokenError as why:
        return why.reason != "ended"
    return True


class LossyTransport(httpx2.AsyncBaseTransport):
    """A transport that drops every third response after the server has handled the request."""

    def __init__(self, jeton: Running) -> None:
        self.inner = httpx2.ASGITransport(jeton.server.app)
        self.requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self.inner.handle_async_request(request)
        self.requests += 1
        if self.requests % 3 == 0:
            raise httpx2.ReadError("the connection was closed")
        return answer


@pytest.mark.requirement("A32")
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
async def test_tasks_that_share_a_session_cause_one_rotation_per_refresh_despite_lost_responses(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    async with httpx2.AsyncClient(transport=LossyTransport(jeton)) as http:
        session = AsyncTokenSession(ISSUER, Client(app.client_id, app.secret), http=http, clock=jeton.clock.now)
        await session.log_in("alice", PASSWORD)
        first = await session.access_token()
        for _ in range(5):
            jeton.clock.advance(600)
            assert len(set(await asyncio.gather(*[session.access_token() for _ in range(20)]))) == 1

    sid = decode(first, options={"verify_signature": False})["sid"]
    with jeton.database.read() as connection:
        family = load_families(connection, [sid])[sid]
    assert (family.generation, family.revoked_at) == (5, None)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_session_survives_lost_answers_new_keys_and_a_restart(module_sqlite_url: str, tmp_path: Path) -> None:
    tasks, rotations = 50, 200
    secret, port = add_accounts(module_sqlite_url), free_port()
    issuer, file, now = f"http://127.0.0.1:{port}", FileStorage(tmp_path / "session.json"), [0.0]
    client = Client(CLIENT_ID, secret)
    with server_process(tmp_path, module_sqlite_url, SERVER__ISSUER=issuer) as server:
        async with (
            lossy_proxy(port, server.port) as proxy,
            AsyncTokenSession(issuer, client, storage=file, clock=lambda: now[0]) as session,
            AsyncVerifier(issuer, issuer) as verifier,
        ):
            await retried(lambda: session.log_in(USERNAME, PASSWORD))
            kids = set()
            for rotation in range(1, rotations + 1):
                if rotation == rotations // 3:
                    done = run_jeton(tmp_path, module_sqlite_url, "keys", "rotate", "--now", SERVER__ISSUER=issuer)
                    assert done.returncode == 0, done.stderr
                if rotation == 2 * rotations // 3:
                    server.kill()
                    restarted = asyncio.create_task(asyncio.to_thread(server.start))
                now[0] += 600  # the access token has expired, and all tasks need another one at once
                token, *others = await asyncio.gather(*[retried(session.access_token) for _ in range(tasks)])
                assert others == [token] * (tasks - 1)
                assert (await retried(partial(verifier.verify, token))).client_id == CLIENT_ID
                kids.add(get_unverified_header(token)["kid"])
            await restarted

    kept = file.load()
    assert kept is not None
    assert kept.tokens.refresh_token is not None
    [family] = stored(module_sqlite_url, [Session(kept.tokens.refresh_token)])
    assert (family.generation, family.revoked_at) == (rotations, None)
    assert proxy.lost >= rotations // 3
    assert len(kids) == 2


async def retried(ask: Callable[[], Awaitable[T]]) -> T:
    """Return the result, retrying until the server is available, as an app does. No new login is needed."""
    for _ in range(60):
        try:
            return await ask()
        except (ServerUnavailableError, VerificationUnavailableError) as away:
            await asyncio.sleep(min(away.retry_after, 0.5))
    raise AssertionError("the server did not come back")
