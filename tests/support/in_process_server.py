"""A server in this process: requests over ASGI, a manual clock and cheap password hashes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote_plus

import httpx2
import pytest
from sqlalchemy import Connection, Table, func, select

from jeton.background.purge import Purge
from jeton.background.shared_state import SharedState
from jeton.bootstrap.server import Server, assemble
from jeton.config.loading import load_settings
from jeton.config.settings import Settings
from jeton.crypto.credentials import digest_secret, generate_client_secret, generate_sub
from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.passwords import Passwords
from jeton.crypto.refresh_token import RefreshTokens
from jeton.frozen import Frozen, Hidden, replace
from jeton.grants import GRANTS
from jeton.grants.description import Grant
from jeton.keys.key_rotation import KeyRotation
from jeton.keys.keyring import Keyring
from jeton.login.password_login import PasswordLogin
from jeton.oauth.clients import Client
from jeton.oauth.users import User
from jeton.storage.clients import insert_client, list_clients, update_client
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger.ledger import Ledger
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limiter import RateLimiter
from jeton.storage.status_index_allocator import allocate_status_indexes
from jeton.storage.users import insert_user, update_user

ISSUER: Final = "http://127.0.0.1:8000"
MASTER_KEY: Final = "dGVzdHMgb25seTogbm90IGEgc2VjcmV0LCAzMiBieXQ"
PASSWORD: Final = "correct horse battery staple"
START: Final = 1_800_000_000
SESSIONS: Final = frozenset({"password", "refresh_token"})


class ManualClock(Clock):
    """A clock that moves only by `advance`."""

    def __init__(self) -> None:
        super().__init__()
        self.time = START

    def now(self) -> int:
        return self.time

    def follow(self, connection: Connection) -> None:
        """Do nothing: the clock does not depend on the database."""

    def advance(self, seconds: int) -> None:
        self.time += seconds


def settings_for(database_url: str, **variables: str) -> Settings:
    """Return settings for a test. `variables` are named as in the environment, without the prefix."""
    environment = {
        "JETON_DATABASE__URL": database_url,
        "JETON_SECRETS__MASTER_KEY": MASTER_KEY,
        "JETON_PASSWORDS__MEMORY_KIB": "8",
    }
    return load_settings(environment=environment | {f"JETON_{name}": value for name, value in variables.items()})


class App(Frozen):
    """A registered client and, unless it is public, its secret."""

    client: Client
    secret: Hidden[str | None] = None

    @property
    def client_id(self) -> str:
        return self.client.client_id

    @property
    def auth(self) -> tuple[str, str] | None:
        """The credentials for HTTP Basic, form-encoded (RFC 6749 section 2.3.1); None for a public client."""
        return None if self.secret is None else (quote_plus(self.client_id), quote_plus(self.secret))


class Running(Frozen):
    """A running server, its clock, and requests to it. `app` authenticates by HTTP Basic if it has a secret."""

    server: Server
    clock: ManualClock
    http: httpx2.AsyncClient

    @property
    def database(self) -> Database:
        return self.server.parts.storage.database

    @property
    def ledger(self) -> Ledger:
        return self.server.parts.storage.ledger

    @property
    def lookups(self) -> Lookups:
        return self.server.parts.storage.lookups

    @property
    def rate_limiter(self) -> RateLimiter:
        return self.server.parts.storage.rate_limiter

    @property
    def keyring(self) -> Keyring:
        return self.server.parts.keyring

    @property
    def refresh_tokens(self) -> RefreshTokens:
        return self.server.parts.refresh_tokens

    @property
    def passwords(self) -> Passwords:
        return self.server.parts.logins.passwords

    @property
    def hashing(self) -> HashingPool:
        return self.server.parts.logins.hashing

    @property
    def login(self) -> PasswordLogin:
        return self.server.parts.logins.by_password

    @property
    def shared_state(self) -> SharedState:
        return self.server.parts.background.shared_state

    @property
    def purge(self) -> Purge:
        return self.server.parts.background.purge

    @property
    def rotation(self) -> KeyRotation:
        return self.server.parts.background.keys.rotation

    def add_client(self, client_id: str = "web", *, public: bool = False, **fields: Any) -> App:
        """Register a client with the usual permissions. `fields` (of `oauth.clients.Client`) override them."""
        secret = None if public else generate_client_secret()
        client = Client(
            client_id,
            public,
            self.clock.now(),
            auth_methods=frozenset() if public else frozenset({"client_secret_basic", "client_secret_post"}),
            grant_types=SESSIONS if public else SESSIONS | {"client_credentials"},
            scope=frozenset({"read", "write"}),
            secret_digest=None if secret is None else digest_secret(secret),
        )
        with self.database.write() as connection:
            client = replace(client, status_index=allocate_status_indexes(connection, 1)[0], **fields)
            insert_client(connection, client)
        self.shared_state.refresh()
        return App(client, secret)

    def clients(self) -> list[Client]:
        """Return all stored clients."""
        with self.database.read() as connection:
            return list_clients(connection)

    def set_client(self, client_id: str, **columns: Any) -> None:
        with self.database.write() as connection:
            update_client(connection, client_id, **columns)
        self.shared_state.refresh()

    def add_user(self, username: str = "alice", password: str = PASSWORD, **fields: Any) -> User:
        password_hash = self.passwords.hash(password)
        user = User(generate_sub(), username, None, (), False, self.clock.now(), 1, password_hash)
        user = replace(user, **fields)
        with self.database.write() as connection:
            insert_user(connection, user)
        return user

    def set_user(self, sub: str, **columns: Any) -> None:
        with self.database.write() as connection:
            update_user(connection, sub, **columns)

    def claims(self, access_token: str) -> dict[str, Any]:
        """Return the claims of an access token, which must be valid."""
        verified = self.keyring.verifier.verify(access_token)
        assert verified is not None
        return dict(verified.claims)

    def count(self, table: Table) -> int:
        """Return the number of rows of the table."""
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0

    async def post(
        self, path: str, app: App | None, headers: Mapping[str, str] | None = None, **parameters: str
    ) -> httpx2.Response:
        """Send a form as this client. A public client identifies itself by `client_id`."""
        if app is not None and app.auth is None:
            parameters = {"client_id": app.client_id, **parameters}
        auth = app.auth if app and app.auth else httpx2.USE_CLIENT_DEFAULT
        return await self.http.post(path, data=parameters, auth=auth, headers=headers)

    async def token(
        self, app: App | None, headers: Mapping[str, str] | None = None, **parameters: str
    ) -> httpx2.Response:
        return await self.post("/oauth/token", app, headers, **parameters)

    async def log_in(self, app: App, username: str = "alice", password: str = PASSWORD, **more: str) -> dict[str, Any]:
        """Log in, which must succeed. Return the members of the token response."""
        response = await self.token(app, None, grant_type="password", username=username, password=password, **more)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def refresh(
        self, app: App, refresh_token: str, idempotency_key: str | None = None, **more: str
    ) -> httpx2.Response:
        headers = None if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return await self.token(app, headers, grant_type="refresh_token", refresh_token=refresh_token, **more)

    async def refreshed(self, app: App, refresh_token: str, **more: str) -> dict[str, Any]:
        """Refresh, which must succeed. Return the members of the token response."""
        response = await self.refresh(app, refresh_token, **more)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def change_password(
        self, access_token: str, new: str, current: str = PASSWORD, **more: str
    ) -> httpx2.Response:
        """Change a password by self-service."""
        form = {"current_password": current, "new_password": new, **more}
        headers = {"Authorization": f"Bearer {access_token}"}
        return await self.http.post("/account/password", data=form, headers=headers)

    async def revoke(self, app: App, token: str, **more: str) -> httpx2.Response:
        return await self.post("/oauth/revoke", app, None, token=token, **more)

    async def introspect(self, app: App, token: str, **more: str) -> dict[str, Any]:
        """Introspect a token. Return the members of the response, which must be a success."""
        response = await self.post("/oauth/introspect", app, None, token=token, **more)
        assert response.status_code == 200, response.text
        return dict(response.json())


@asynccontextmanager
async def running(settings: Settings, grants: Sequence[Grant] = GRANTS) -> AsyncIterator[Running]:
    """Start a server with these settings and grants, including its lifespan. Yield it with its clock."""
    clock = ManualClock()
    server = assemble(settings, clock, grants)
    async with (
        server.lifespan(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(server.app), base_url=ISSUER) as http,
    ):
        yield Running(server, clock, http)


StartServer = Callable[..., Awaitable[Running]]


def shared_server(*usernames: str) -> Any:
    """Return the fixture `jeton` of a module whose tests share one server, with these users."""

    @pytest.fixture(scope="module", name="jeton")
    def shared(shared_jeton: Running) -> Running:
        for username in usernames:
            shared_jeton.add_user(username)
        return shared_jeton

    return shared
