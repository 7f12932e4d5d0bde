"""For services that ask the server: the same `verify(token)` as a verifier has, by introspection (RFC 7662)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Final, Self

import httpx2

from jeton_client.access_token import DEFAULT_SKEW_SECONDS, MOST_CHARACTERS, AccessToken, require_audience
from jeton_client.authorization_server import AuthorizationServer
from jeton_client.client_authentication import Client
from jeton_client.discovery import required
from jeton_client.drivers import AsyncDriver, Driver
from jeton_client.errors import InvalidToken, ServerAway, Unverifiable
from jeton_client.introspection import judge_introspection_answer
from jeton_client.plans import Plan, Shared
from jeton_client.token_requests import introspect

MOST_ANSWERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Remember:
    """For how many seconds an answer counts; one that a token is good never past its `exp`."""

    good_seconds: float = 5.0
    bad_seconds: float = 30.0


REMEMBER: Final = Remember()


@dataclass(slots=True)
class _Answers:
    """Answers by digest of the token, each with its end; the oldest makes room."""

    _answers: dict[str, tuple[float, AccessToken | InvalidToken]] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock)

    def get(self, name: str, ticks: float) -> AccessToken | InvalidToken | None:
        until, answer = self._answers.get(name, (0.0, None))
        return answer if ticks < until else None

    def add(self, name: str, answer: AccessToken | InvalidToken, until: float) -> None:
        with self._lock:
            self._answers.pop(name, None)
            while len(self._answers) >= MOST_ANSWERS:
                del self._answers[next(iter(self._answers))]
            self._answers[name] = (until, answer)


class IntrospectorPlans:
    """What asking takes; answers are remembered by the digest of their token."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        audience: str,
        remember: Remember,
        clock: Callable[[], float],
        ticks: Callable[[], float],
    ) -> None:
        require_audience(audience)
        self._server = AuthorizationServer(issuer)
        self._client = client
        self._audience = audience
        self._remember = remember
        self._clock = clock
        self._ticks = ticks
        self._good = _Answers()
        self._bad = _Answers()  # apart, so that a flood of bad tokens does not drive out the good ones

    def verify(self, token: str) -> Plan[AccessToken]:
        if not token or len(token) > MOST_CHARACTERS or not (token.isascii() and token.isprintable()):
            raise InvalidToken("malformed")
        name = sha256(token.encode()).hexdigest()
        answer = self._good.get(name, self._ticks()) or self._bad.get(name, self._ticks())
        if answer is None or (isinstance(answer, AccessToken) and self._clock() >= answer.expires_at):
            answer = yield Shared(name, partial(self._ask, name, token))
        if isinstance(answer, InvalidToken):
            raise InvalidToken(answer.reason)
        assert answer is not None, "a shared plan that is waited for has a result"
        return answer

    def _ask(self, name: str, token: str) -> Plan[AccessToken | InvalidToken]:
        asked_at = self._ticks()
        try:
            metadata = yield from self._server.metadata()
        except ServerAway as away:
            raise Unverifiable(str(away)) from None
        endpoint = required(metadata.introspection_endpoint, "introspection_endpoint")
        answer = yield introspect(endpoint, self._client, token)
        try:
            good = judge_introspection_answer(
                answer, self._server.issuer, self._audience, self._clock(), DEFAULT_SKEW_SECONDS
            )
        except InvalidToken as bad:
            self._bad.add(name, bad, asked_at + self._remember.bad_seconds)
            return bad
        self._good.add(name, good, asked_at + self._remember.good_seconds)
        return good


class Introspector:
    """Asks about the access tokens of one issuer as `client`, which must be let introspect; threads may share it."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        audience: str,
        *,
        remember: Remember = REMEMBER,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plans = IntrospectorPlans(issuer, client, audience, remember, clock, ticks)
        self._driver = Driver(http)

    def verify(self, token: str) -> AccessToken:
        """InvalidToken where it is not good; Unverifiable where the server does not say."""
        return self._driver.run(self._plans.verify(token))

    def close(self) -> None:
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncIntrospector:
    """As `Introspector`, for the tasks of one event loop."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        audience: str,
        *,
        remember: Remember = REMEMBER,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plans = IntrospectorPlans(issuer, client, audience, remember, clock, ticks)
        self._driver = AsyncDriver(http)

    async def verify(self, token: str) -> AccessToken:
        """As `Introspector.verify`."""
        return await self._driver.run(self._plans.verify(token))

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
