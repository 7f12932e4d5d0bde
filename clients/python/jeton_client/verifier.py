"""For services: is this access token good here, now? One class for threads, one for tasks."""

import time
from collections.abc import Callable, Collection
from typing import Self

import httpx2

from jeton_client.access_token import DEFAULT_SKEW_SECONDS, AccessToken, Rules
from jeton_client.drivers import AsyncDriver, Driver
from jeton_client.key_set import ALGORITHMS, MAX_STALE_SECONDS
from jeton_client.verified_tokens import MOST_TOKENS
from jeton_client.verifier_plans import FOLLOW_STATUS, FollowStatus, VerifierPlans


class Verifier:
    """Verifies the access tokens of one issuer that are meant for `audience`; threads may share it.

    `status` says how ended sessions are noticed, None that they are not; `most_cached` is how many verified tokens are
    remembered, each until its `exp` at most, 0 for none. Keys that cannot be fetched again count for
    `key_max_stale_seconds` beyond their `max-age`.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        status: FollowStatus | None = FOLLOW_STATUS,
        algorithms: Collection[str] = frozenset(ALGORITHMS),
        skew_seconds: float = DEFAULT_SKEW_SECONDS,
        most_cached: int = MOST_TOKENS,
        key_max_stale_seconds: float = MAX_STALE_SECONDS,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        rules = Rules(issuer, audience, frozenset(algorithms), skew_seconds)
        self._plans = VerifierPlans(rules, status, most_cached, clock, ticks, key_max_stale_seconds)
        self._driver = Driver(http)

    def verify(self, token: str) -> AccessToken:
        """InvalidToken where it is not good; Unverifiable where nobody can say."""
        found = self._plans.at_hand(token)
        return self._driver.run(self._plans.verify(token)) if found is None else found

    def close(self) -> None:
        self._driver.close()

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
        status: FollowStatus | None = FOLLOW_STATUS,
        algorithms: Collection[str] = frozenset(ALGORITHMS),
        skew_seconds: float = DEFAULT_SKEW_SECONDS,
        most_cached: int = MOST_TOKENS,
        key_max_stale_seconds: float = MAX_STALE_SECONDS,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        rules = Rules(issuer, audience, frozenset(algorithms), skew_seconds)
        self._plans = VerifierPlans(rules, status, most_cached, clock, ticks, key_max_stale_seconds)
        self._driver = AsyncDriver(http)

    async def verify(self, token: str) -> AccessToken:
        """As `Verifier.verify`."""
        found = self._plans.at_hand(token)
        return await self._driver.run(self._plans.verify(token)) if found is None else found

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
