"""Verification of ID tokens and logout tokens for apps. One class for threads, one for tasks."""

import time
from collections.abc import Callable, Collection

import httpx2

from jeton_client.access_token import DEFAULT_SKEW_SECONDS
from jeton_client.authorization_request import PendingAuthorization
from jeton_client.errors import InvalidTokenError
from jeton_client.executors import WithAsyncExecutor, WithExecutor
from jeton_client.id_token import IdToken, IdTokenRules, LogoutToken
from jeton_client.issuer_keys import IssuerKeys
from jeton_client.key_set import ALGORITHMS
from jeton_client.operations import Operation
from jeton_client.token_answers import Tokens


class _Operations:
    """Verification as operations, with the keys of the issuer."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        algorithms: Collection[str],
        skew_seconds: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        if not algorithms or not ALGORITHMS.keys() >= set(algorithms):
            raise ValueError(f"algorithms must be among {', '.join(ALGORITHMS)}")
        self._rules = IdTokenRules(issuer, client_id, frozenset(algorithms), skew_seconds)
        self._keys = IssuerKeys(issuer, monotonic)
        self._clock = clock

    def verify(self, tokens: Tokens, pending: PendingAuthorization) -> Operation[IdToken]:
        if tokens.id_token is None:
            raise InvalidTokenError("missing")
        unverified = self._rules.read(tokens.id_token)
        keys = yield from self._keys.keys_for(unverified.kid)
        return self._rules.judge(unverified, keys, pending, tokens.access_token, self._clock())

    def verify_logout_token(self, text: str) -> Operation[LogoutToken]:
        unverified = self._rules.read_logout_token(text)
        keys = yield from self._keys.keys_for(unverified.kid)
        return self._rules.judge_logout_token(unverified, keys, self._clock())


class IdTokenVerifier(WithExecutor):
    """Verifier of the ID tokens that one issuer issues to one client. Threads can share it."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        algorithms: Collection[str] = frozenset(ALGORITHMS),
        skew_seconds: float = DEFAULT_SKEW_SECONDS,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = _Operations(issuer, client_id, algorithms, skew_seconds, clock, monotonic)
        super().__init__(http)

    def verify(self, tokens: Tokens, pending: PendingAuthorization) -> IdToken:
        """Return who logged in, from the tokens that `finish_authorization` returned for this pending value.

        Raise InvalidTokenError, with the reason `missing` if there is no ID token: then the scope had no `openid`.
        Raise VerificationUnavailableError if it cannot be verified now.
        """
        return self._executor.run(self._operations.verify(tokens, pending))

    def verify_logout_token(self, text: str) -> LogoutToken:
        """Return whom the server logs out (OpenID Connect Back-Channel Logout). Raise like `verify`."""
        return self._executor.run(self._operations.verify_logout_token(text))


class AsyncIdTokenVerifier(WithAsyncExecutor):
    """The same as `IdTokenVerifier`, for the tasks of one event loop."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        algorithms: Collection[str] = frozenset(ALGORITHMS),
        skew_seconds: float = DEFAULT_SKEW_SECONDS,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = _Operations(issuer, client_id, algorithms, skew_seconds, clock, monotonic)
        super().__init__(http)

    async def verify(self, tokens: Tokens, pending: PendingAuthorization) -> IdToken:
        """See `IdTokenVerifier.verify`."""
        return await self._executor.run(self._operations.verify(tokens, pending))

    async def verify_logout_token(self, text: str) -> LogoutToken:
        """See `IdTokenVerifier.verify_logout_token`."""
        return await self._executor.run(self._operations.verify_logout_token(text))
