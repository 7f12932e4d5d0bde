"""Verification of access tokens for services. One class for threads, one for tasks."""

import time
from collections.abc import Callable, Collection

import httpx2

from jeton_client.access_token import DEFAULT_SKEW_SECONDS, AccessToken, Rules
from jeton_client.executors import WithAsyncExecutor, WithExecutor
from jeton_client.key_set import ALGORITHMS, MAX_STALE_SECONDS
from jeton_client.verified_tokens import MAX_TOKENS
from jeton_client.verifier_operations import DEFAULT_STATUS_POLLING, StatusPolling, VerifierOperations


class Verifier(WithExecutor):
    """Verifier of access tokens of one issuer for one audience. Threads can share it.

    `status` configures how ended sessions are noticed; with None they are not. `max_cache_entries` is the size of the
    cache of verified tokens; 0 disables it. Keys that cannot be fetched are used for `key_max_stale_seconds` beyond
    their `max-age`.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        status: StatusPolling | None = DEFAULT_STATUS_POLLING,
        algorithms: Collection[str] = frozenset(ALGORITHMS),
        skew_seconds: float = DEFAULT_SKEW_SECONDS,
        max_cache_entries: int = MAX_TOKENS,
        key_max_stale_seconds: float = MAX_STALE_SECONDS,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        rules = Rules(issuer, audience, frozenset(algorithms), skew_seconds)
        self._operations = VerifierOperations(rules, status, max_cache_entries, clock, monotonic, key_max_stale_seconds)
        super().__init__(http)

    def verify(self, token: str) -> AccessToken:
        """Return the token. Raise InvalidTokenError, or VerificationUnavailableError if it cannot be verified now."""
        found = self._operations.cached(token)
        return self._executor.run(self._operations.verify(token)) if found is None else found


class AsyncVerifier(WithAsyncExecutor):
    """The same as `Verifier`, for the tasks of one event loop."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        status: StatusPolling | None = DEFAULT_STATUS_POLLING,
        algorithms: Collection[str] = frozenset(ALGORITHMS),
        skew_seconds: float = DEFAULT_SKEW_SECONDS,
        max_cache_entries: int = MAX_TOKENS,
        key_max_stale_seconds: float = MAX_STALE_SECONDS,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        rules = Rules(issuer, audience, frozenset(algorithms), skew_seconds)
        self._operations = VerifierOperations(rules, status, max_cache_entries, clock, monotonic, key_max_stale_seconds)
        super().__init__(http)

    async def verify(self, token: str) -> AccessToken:
        """See `Verifier.verify`."""
        found = self._operations.cached(token)
        return await self._executor.run(self._operations.verify(token)) if found is None else found
