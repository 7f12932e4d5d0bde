"""Load on servers: sessions that refresh continuously and record the responses."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from jeton.crypto.credentials import digest_secret, generate_client_secret, generate_sub
from jeton.crypto.passwords import Passwords
from jeton.crypto.refresh_token import parse_refresh_token
from jeton.oauth.clients import Client
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.clients import insert_client
from jeton.storage.database import Database
from jeton.storage.families import load_families
from jeton.storage.users import insert_user
from support.audit_trail import verified_records
from support.in_process_server import PASSWORD, SESSIONS

CLIENT_ID: Final = "app"
USERNAME: Final = "alice"
TIMEOUT_SECONDS: Final = 15
CONNECTION_ERRORS: Final = (httpx2.ConnectError, httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


def add_accounts(database_url: str) -> str:
    """Add one user and one confidential client to a migrated database. Return the client secret."""
    secret, now, database = generate_client_secret(), int(time.time()), Database(database_url)
    methods = frozenset({"client_secret_basic"})
    client = Client(
        CLIENT_ID,
        public=False,
        created_at=now,
        auth_methods=methods,
        grant_types=SESSIONS,
        scope=frozenset({"read"}),
        secret_digest=digest_secret(secret),
    )
    password_hash = Passwords(8, 1, 1).hash(PASSWORD)
    with database.write() as connection:
        insert_client(connection, client)
        insert_user(connection, User(generate_sub(), USERNAME, None, (), False, now, 1, password_hash))
    database.close()
    return secret


def sid_and_generation(refresh_token: str) -> tuple[str, int]:
    """Return the sid and the generation of a refresh token."""
    presented = parse_refresh_token(refresh_token)
    assert presented is not None
    return presented.sid, presented.generation


@dataclass
class Session:
    """The client side of a session: `token` is the last one received; `is_pending` while a request has no response."""

    token: str
    sends_keys: bool = True
    is_pending: bool = False
    answered: int = 0
    successors: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def key(self) -> dict[str, str]:
        """The header field with an idempotency key, the same for each repetition of a request with this token."""
        return {"Idempotency-Key": self.token[-20:]} if self.sends_keys else {}


@dataclass
class Load:
    """Clients of the servers at `urls`. Each session sends one request at a time, with pauses in between."""

    http: httpx2.AsyncClient
    urls: list[str]
    pause_seconds: float = 0
    sessions: list[Session] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    async def log_in(self, count: int, *, sends_keys: bool = True) -> list[Session]:
        """Open this number of sessions. Return them."""
        form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
        new = []
        for number in range(count):
            response = await self.http.post(f"{self.urls[number % len(self.urls)]}/oauth/token", data=form)
            assert response.status_code == 200, response.text
            new.append(Session(response.json()["refresh_token"], sends_keys))
        self.sessions += new
        return new

    async def refresh(self, session: Session, url: str | None = None) -> httpx2.Response:
        """Refresh once, and record the new token. Raise what the transport raises."""
        form = {"grant_type": "refresh_token", "refresh_token": session.token}
        response = await self.http.post(f"{url or self.urls[0]}/oauth/token", data=form, headers=session.key)
        self.statuses[response.status_code] += 1
        if response.status_code == 200:
            successor = response.json()["refresh_token"]
            session.successors[session.token].add(successor)
            session.token = successor
            session.answered += 1
        return response

    async def post(self, path: str, token: str, url: str | None = None) -> httpx2.Response:
        """Send a revocation or introspection of a token."""
        return await self.http.post(f"{url or self.urls[0]}{path}", data={"token": token})

    async def _run(self, session: Session, turn: int) -> None:
        """Refresh continuously, at each server in turn. Repeat a request that got no response, as clients may."""
        while True:
            turn += 1
            session.is_pending = True
            try:
                response = await self.refresh(session, self.urls[turn % len(self.urls)])
            except CONNECTION_ERRORS as error:
                self.losses.append(repr(error))
                await asyncio.sleep(0.02 + self.pause_seconds)
                continue
            if response.status_code == 503 and "retry-after" in response.headers:
                await asyncio.sleep(0.02 + self.pause_seconds)
                continue
            if response.status_code != 200:
                self.unexpected.append(f"{response.status_code} {response.text}")
                return
            session.is_pending = False
            await asyncio.sleep(self.pause_seconds)

    @asynccontextmanager
    async def running(self, sessions: Sequence[Session] | None = None) -> AsyncIterator[None]:
        """Refresh these sessions (by default all) until the end of the block, where pending requests are cancelled."""
        tasks = [asyncio.create_task(self._run(it, turn)) for turn, it in enumerate(sessions or self.sessions)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert self.unexpected == [], self.unexpected

    async def until(self, condition: Callable[[], Any], what: str, seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait under load until `condition()` is true. Fail at the deadline, or when a session was refused."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.unexpected == [], self.unexpected
            assert time.monotonic() < deadline, f"not true within {seconds} seconds: {what}; so far {self.statuses}"
            await asyncio.sleep(0.01)

    async def until_answered(self, count: int, seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait until each session has received this number of further tokens."""
        before = [it.answered for it in self.sessions]
        await self.until(
            lambda: all(it.answered >= was + count for it, was in zip(self.sessions, before, strict=True)),
            f"{count} more answers for each session",
            seconds,
        )


@asynccontextmanager
async def refresh_load(
    urls: list[str], secret: str, *, keeps_alive: bool = False, pause_seconds: float = 0
) -> AsyncIterator[Load]:
    """Yield clients of these servers.

    Without keep-alive, no request is lost because a server closes an idle connection.
    """
    limits = httpx2.Limits(max_keepalive_connections=100 if keeps_alive else 0)
    async with httpx2.AsyncClient(
        auth=(CLIENT_ID, secret), limits=limits, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as http:
        yield Load(http, urls, pause_seconds)


def stored(database_url: str, sessions: Sequence[Session]) -> list[Family]:
    """Return the families of these sessions from the database."""
    database = Database(database_url)
    with database.read() as connection:
        found = load_families(connection, [sid_and_generation(it.token)[0] for it in sessions])
    database.close()
    return [found[sid_and_generation(it.token)[0]] for it in sessions]


def assert_nothing_lost_or_doubled(database_url: str, sessions: Sequence[Session]) -> None:
    """Check that the database has each token that was received, and no fork and no ended session.

    It may be one generation ahead of a session whose request is pending.
    """
    for session, family in zip(sessions, stored(database_url, sessions), strict=True):
        ahead = family.generation - sid_and_generation(session.token)[1]
        assert 0 <= ahead <= int(session.is_pending), f"the database is {ahead} generations ahead of the client"
        assert family.revoked_at is None
        assert all(len(it) == 1 for it in session.successors.values())
    _assert_recorded(database_url, sessions)


def _assert_recorded(database_url: str, sessions: Sequence[Session]) -> None:
    """Check the audit trail: it verifies and has each committed refresh once.

    Another refresh of a session whose request is pending may be committed in between.
    """
    before = stored(database_url, sessions)
    refreshed = Counter(it.sid for it in verified_records(database_url) if it.event == "token_refreshed")
    for session, family in zip(sessions, before, strict=True):
        assert 0 <= refreshed[family.sid] - family.generation <= int(session.is_pending)
