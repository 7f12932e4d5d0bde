"""For services: is this access token good here, now? One class for threads, one for tasks."""

import time
from collections.abc import Callable, Collection
from typing import Self

import httpx2

from jeton_client.access_token import DEFAULT_SKEW_SECONDS, AccessToken, Rules
from jeton_client.executors import AsyncExecutor, Executor
from jeton_client.key_set import ALGORITHMS, MAX_STALE_SECONDS
from jeton_client.verified_tokens import MAX_TOKENS
from jeton_client.verifier_operations import DEFAULT_STATUS_POLLING, StatusPolling, VerifierOperations


class Verifier:
    """Verifies the access tokens of one issuer that are meant for `audience`; threads may share it.

    `status` says how ended sessions are noticed, None that they are not; `max_cache_entries` is how many verified
    tokens are remembered, each until its `exp` at most, 0 for none. Keys that cannot be fetched again count for
    `key_max_stale_seconds` beyond their `max-age`.
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
        self._executor = Executor(http)

    def verify(self, token: str) -> AccessToken:
        """InvalidTokenError where it is not good; VerificationUnavailableError where nobody can say."""
        found = self._operations.cached(token)
        return self._executor.run(self._operations.verify(token)) if found is None else found

    def close(self) -> None:
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncVerifier:
    """As `Verifier`, for the tasks of one event loop."""

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
        self._executor = AsyncExecutor(http)

    async def verify(self, token: str) -> AccessToken:
        """As `Verifier.verify`."""
        found = self._operations.cached(token)
        return await self._executor.run(self._operations.verify(token)) if found is None else found

    async def close(self) -> None:
        await self._executor.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
