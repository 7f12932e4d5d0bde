"""Sessions for apps: log in, get valid access tokens, renew them, log out. One class for threads, one for tasks."""

import time
from collections.abc import Callable

import httpx2

from jeton_client.authorization_request import AuthorizationRequest, PendingAuthorization
from jeton_client.client_authentication import Client
from jeton_client.executors import WithAsyncExecutor, WithExecutor
from jeton_client.session_operations import SessionOperations
from jeton_client.storage import Storage
from jeton_client.token_answers import Tokens


class TokenSession(WithExecutor):
    """A session that threads can share. It does not close `http`; without `http`, it creates its own client.

    Objects that share a storage are one session: one renews it, the others see the result.
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
        super().__init__(http)

    def log_in(self, username: str, password: str, scope: str | None = None) -> None:
        """Start a session, which replaces any other. Raise RefusedError `invalid_grant` if the password is wrong."""
        self._executor.run(self._operations.log_in(username, password, scope))

    def log_in_as_client(self, scope: str | None = None) -> None:
        """Start a session of the client itself (RFC 6749 section 4.4), renewed by the same grant."""
        self._executor.run(self._operations.log_in_as_client(scope))

    def start_authorization(self, request: AuthorizationRequest) -> tuple[str, PendingAuthorization]:
        """Return the URL to which the browser is sent, and what must be kept until it comes back.

        The value is for `finish_authorization`, also in another process: see `PendingAuthorization.to_json`.
        """
        return self._executor.run(self._operations.start_authorization(request))

    def finish_authorization(self, pending: PendingAuthorization, callback: str) -> Tokens:
        """Start a session with the redirect that came back: its URL, its query, or the form of a `form_post`.

        Raise InvalidCallbackError if it does not answer the request, AccessDeniedError if the person refused,
        RefusedError for other errors of the server. After ServerUnavailableError, the call can be repeated. Return the
        tokens: `IdTokenVerifier` says from them who logged in.
        """
        return self._executor.run(self._operations.finish_authorization(pending, callback))

    def access_token(self) -> str:
        """Return a currently valid access token.

        Raise LoginRequiredError if the session is over, ServerUnavailableError if it cannot be renewed.
        """
        token = self._operations.current.good_token()
        if token is not None and not self._operations.current.is_due():
            return token
        return self._executor.run(self._operations.access_token())

    def renew(self, rejected: str) -> str:
        """Return another access token than this one, which a service has rejected."""
        return self._executor.run(self._operations.renew(rejected))

    def log_out(self) -> None:
        """Delete the session and revoke it.

        Raise ServerUnavailableError if it was deleted but could not be revoked, StorageUnusableError if it was
        revoked but could not be deleted.
        """
        self._executor.run(self._operations.log_out())

    def start_logout(self, post_logout_redirect_uri: str | None = None) -> tuple[str, str]:
        """Delete the session and revoke it. Return a URL at which the browser logs out at the server, and its state.

        The browser comes back to `post_logout_redirect_uri`; pass its URL and the state to `check_logout_callback`.
        Raise ServerUnavailableError if the session was deleted, but the URL is unknown: call it again.
        """
        return self._executor.run(self._operations.start_logout(post_logout_redirect_uri))


class AsyncTokenSession(WithAsyncExecutor):
    """The same as `TokenSession`, for the tasks of one event loop."""

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
        super().__init__(http)

    async def log_in(self, username: str, password: str, scope: str | None = None) -> None:
        """See `TokenSession.log_in`."""
        await self._executor.run(self._operations.log_in(username, password, scope))

    async def log_in_as_client(self, scope: str | None = None) -> None:
        """See `TokenSession.log_in_as_client`."""
        await self._executor.run(self._operations.log_in_as_client(scope))

    async def start_authorization(self, request: AuthorizationRequest) -> tuple[str, PendingAuthorization]:
        """See `TokenSession.start_authorization`."""
        return await self._executor.run(self._operations.start_authorization(request))

    async def finish_authorization(self, pending: PendingAuthorization, callback: str) -> Tokens:
        """See `TokenSession.finish_authorization`."""
        return await self._executor.run(self._operations.finish_authorization(pending, callback))

    async def access_token(self) -> str:
        """See `TokenSession.access_token`."""
        token = self._operations.current.good_token()
        if token is not None and not self._operations.current.is_due():
            return token
        return await self._executor.run(self._operations.access_token())

    async def renew(self, rejected: str) -> str:
        """See `TokenSession.renew`."""
        return await self._executor.run(self._operations.renew(rejected))

    async def log_out(self) -> None:
        """See `TokenSession.log_out`."""
        await self._executor.run(self._operations.log_out())

    async def start_logout(self, post_logout_redirect_uri: str | None = None) -> tuple[str, str]:
        """See `TokenSession.start_logout`."""
        return await self._executor.run(self._operations.start_logout(post_logout_redirect_uri))
