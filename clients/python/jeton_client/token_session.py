"""For apps: log in, hand out valid access tokens, renew them, log out. One class for threads, one for tasks."""

import time
from collections.abc import Callable
from typing import Self

import httpx2

from jeton_client.client_authentication import Client
from jeton_client.executors import AsyncExecutor, Executor
from jeton_client.session_operations import SessionOperations
from jeton_client.storage import Storage


class TokenSession:
    """A session that threads share. `http` is used and not closed; without one, the session makes its own.

    Several sessions that share a storage are one session: whoever comes first renews it, the others see it.
    """

    def __init__(
        self,
        issuer: str,
        client: Client,
        *,
        storage: Storage | None = None,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._operations = SessionOperations(issuer, client, storage, clock)
        self._executor = Executor(http)

    def log_in(self, username: str, password: str, scope: str | None = None) -> None:
        """A new session in the place of any other. RefusedError with `invalid_grant` where the password is wrong."""
        self._executor.run(self._operations.log_in(username, password, scope))

    def log_in_as_client(self, scope: str | None = None) -> None:
        """A session of the client's own (RFC 6749 section 4.4); it renews itself by the same grant."""
        self._executor.run(self._operations.log_in_as_client(scope))

    def access_token(self) -> str:
        """Return one that is good now.

        Raise LoginRequiredError if the session is over, ServerUnavailableError if nobody can renew it.
        """
        token = self._operations.good_token()
        if token is not None and not self._operations.is_due():
            return token
        return self._executor.run(self._operations.access_token())

    def renew(self, rejected: str) -> str:
        """Another token than this one, which a service would not take."""
        return self._executor.run(self._operations.renew(rejected))

    def log_out(self) -> None:
        """Forget the session and revoke it.

        Raise ServerUnavailableError if it is forgotten and the server could not be told, StorageUnusableError if it is
        revoked and could not be forgotten.
        """
        self._executor.run(self._operations.log_out())

    def close(self) -> None:
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTokenSession:
    """A session that the tasks of one event loop share: as `TokenSession`, awaited."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        *,
        storage: Storage | None = None,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._operations = SessionOperations(issuer, client, storage, clock)
        self._executor = AsyncExecutor(http)

    async def log_in(self, username: str, password: str, scope: str | None = None) -> None:
        """As `TokenSession.log_in`."""
        await self._executor.run(self._operations.log_in(username, password, scope))

    async def log_in_as_client(self, scope: str | None = None) -> None:
        """As `TokenSession.log_in_as_client`."""
        await self._executor.run(self._operations.log_in_as_client(scope))

    async def access_token(self) -> str:
        """As `TokenSession.access_token`."""
        token = self._operations.good_token()
        if token is not None and not self._operations.is_due():
            return token
        return await self._executor.run(self._operations.access_token())

    async def renew(self, rejected: str) -> str:
        """As `TokenSession.renew`."""
        return await self._executor.run(self._operations.renew(rejected))

    async def log_out(self) -> None:
        """As `TokenSession.log_out`."""
        await self._executor.run(self._operations.log_out())

    async def close(self) -> None:
        await self._executor.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
