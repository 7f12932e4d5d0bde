"""Introspector for services: the same `verify(token)` as a verifier, by introspection (RFC 7662)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Final, Generic, TypeVar

import httpx2

from jeton_client.access_token import DEFAULT_SKEW_SECONDS, MAX_CHARACTERS, AccessToken, require_audience
from jeton_client.authorization_server import AuthorizationServer
from jeton_client.client_authentication import Client
from jeton_client.discovery import required
from jeton_client.errors import InvalidTokenError, ServerUnavailableError, VerificationUnavailableError
from jeton_client.executors import WithAsyncExecutor, WithExecutor
from jeton_client.introspection import judge_introspection_answer
from jeton_client.operations import Operation, Shared
from jeton_client.token_requests import introspect

MAX_ANSWERS: Final = 4096


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How many seconds a result is cached; a valid one never past its `exp`."""

    good_seconds: float = 5.0
    bad_seconds: float = 30.0


DEFAULT_CACHE_LIMITS: Final = CacheLimits()


T = TypeVar("T")


class _Answers(Generic[T]):
    """Cached results by digest of the token, each with its expiry; the oldest one is evicted."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, T]] = {}
        self._lock = Lock()

    def get(self, name: str, monotonic: float) -> T | None:
        until, answer = self._answers.get(name, (0.0, None))
        return answer if monotonic < until else None

    def add(self, name: str, answer: T, until: float) -> None:
        with self._lock:
            self._answers.pop(name, None)
            while len(self._answers) >= MAX_ANSWERS:
                del self._answers[next(iter(self._answers))]
            self._answers[name] = (until, answer)


class IntrospectorOperations:
    """Introspection as operations. Results are cached by the digest of their token."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        audience: str,
        cache_limits: CacheLimits,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        require_audience(audience)
        self._server = AuthorizationServer(issuer)
        self._client = replace(client, issuer=issuer)
        self._audience = audience
        self._cache_limits = cache_limits
        self._clock = clock
        self._monotonic = monotonic
        self._good = _Answers[AccessToken]()
        # Separate, so that a flood of bad tokens does not evict the good ones.
        self._bad = _Answers[InvalidTokenError]()

    def verify(self, token: str) -> Operation[AccessToken]:
        if not token or len(token) > MAX_CHARACTERS or not (token.isascii() and token.isprintable()):
            raise InvalidTokenError("malformed")
        name = sha256(token.encode()).hexdigest()
        cached = self._cached(name)
        answer = cached or (yield Shared(name, partial(self._ask, name, token)))
        if isinstance(answer, InvalidTokenError):
            raise InvalidTokenError(answer.reason)
        return answer

    def _cached(self, name: str) -> AccessToken | InvalidTokenError | None:
        good = self._good.get(name, self._monotonic())
        if good is not None and self._clock() < good.expires_at:
            return good
        return self._bad.get(name, self._monotonic())

    def _ask(self, name: str, token: str) -> Operation[AccessToken | InvalidTokenError]:
        asked_at = self._monotonic()
        try:
            metadata = yield from self._server.metadata()
        except ServerUnavailableError as away:
            raise VerificationUnavailableError(str(away)) from None
        endpoint = required(metadata.introspection_endpoint, "introspection_endpoint")
        answer = yield introspect(endpoint, self._client, token)
        try:
            good = judge_introspection_answer(
                answer, self._server.issuer, self._audience, self._clock(), DEFAULT_SKEW_SECONDS
            )
        except InvalidTokenError as bad:
            self._bad.add(name, bad, asked_at + self._cache_limits.bad_seconds)
            return bad
        self._good.add(name, good, asked_at + self._cache_limits.good_seconds)
        return good


class Introspector(WithExecutor):
    """Introspection of access tokens of one issuer as `client`, which must be allowed to introspect. Thread-safe."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        audience: str,
        *,
        cache_limits: CacheLimits = DEFAULT_CACHE_LIMITS,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = IntrospectorOperations(issuer, client, audience, cache_limits, clock, monotonic)
        super().__init__(http)

    def verify(self, token: str) -> AccessToken:
        """Return the token. Raise InvalidTokenError, or VerificationUnavailableError if the server gives no result."""
        return self._executor.run(self._operations.verify(token))


class AsyncIntrospector(WithAsyncExecutor):
    """The same as `Introspector`, for the tasks of one event loop."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        audience: str,
        *,
        cache_limits: CacheLimits = DEFAULT_CACHE_LIMITS,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = IntrospectorOperations(issuer, client, audience, cache_limits, clock, monotonic)
        super().__init__(http)

    async def verify(self, token: str) -> AccessToken:
        """See `Introspector.verify`."""
        return await self._executor.run(self._operations.verify(token))
