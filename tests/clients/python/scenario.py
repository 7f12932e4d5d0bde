"""Runner of scenarios against the public API, with threads or with tasks (tests/vectors/README.md)."""

import asyncio
import inspect
import re
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import httpx2
import pytest

from clients.python.failing_storage import FailingStorage
from clients.python.scenario_server import ScenarioServer, Step
from clients.python.vectors import AUDIENCE, ISSUER, START, TOKENS, check
from jeton_client import (
    AsyncIdTokenVerifier,
    AsyncIntrospector,
    AsyncTokenSession,
    AsyncVerifier,
    AuthorizationRequest,
    BearerAuth,
    Client,
    IdTokenVerifier,
    Introspector,
    PendingAuthorization,
    StatusPolling,
    Tokens,
    TokenSession,
    Verifier,
)
from jeton_client.authorization_request import code_challenge

T = TypeVar("T")

CLIENT: Final = Client("web", "the-secret")
SECRETS: Final = (
    *("access-1", "access-2", "access-o", "refresh-1", "refresh-2"),
    *("the-password", "the-secret", "Basic ", "code-1"),
)
_LOGIN: Final = {"call": "log_in", "with": ["alice", "the-password", "read"], "requests": ["metadata", "log in"]}
_KINDS: Final = {"verify": "verifier", "introspect": "introspector"}
_sleep, _async_sleep = time.sleep, asyncio.sleep  # the tests replace those of the executors


class Scenario:
    """A fake clock, server and storage, and the objects that use them. With `is_async`, these run tasks."""

    def __init__(self, options: Mapping[str, Any] | None = None, *, is_async: bool) -> None:
        self.now: float = START
        self.storage = FailingStorage()
        self.server = ScenarioServer(self.storage, self.step)
        self.http = httpx2.Client(transport=httpx2.MockTransport(self._handle))
        self.async_http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._handle_async)) if is_async else None
        self._options = dict(options or {})
        self._objects: dict[tuple[str, str], Any] = {}
        self._pauses = 0
        self._tokens: Tokens | None = None

    async def run(self, scenario: Mapping[str, Any]) -> None:
        for step in [_LOGIN] * scenario.get("logged_in", False) + scenario["steps"]:
            await self.step(step)
        assert not any(secret in repr(list(self._objects.values())) for secret in SECRETS)

    async def step(self, step: Step) -> None:
        if "advance" in step:
            self.now += step["advance"]
        elif "storage_fails" in step:
            self.storage.failing = dict.fromkeys(step["storage_fails"], OSError(28, "full"))
        elif "stored" in step:
            assert self._stored(step["stored"]) == step["stored"]
        else:
            await self._call(step)

    async def _call(self, step: Step) -> None:
        pauses = self._pauses
        values = [TOKENS.get(text, text) if isinstance(text, str) else text for text in step.get("with", [])]
        names = step.get("sessions", [step.get("session", "first")]) * step.get("times", 1)
        calls = [partial(self._invoke, step["call"], name, values) for name in names]
        with self.server.expecting(step):
            for outcome in await (self._together(*calls) if len(calls) > 1 else self._alone(*calls)):
                assert isinstance(outcome, str) or not any(secret in f"{outcome!r} {outcome}" for secret in SECRETS)
                check(step, outcome)
        assert step.get("pauses", self._pauses - pauses) == self._pauses - pauses

    async def _alone(self, call: Callable[[], Any]) -> list[Any]:
        try:
            result = call()
            return [await result if inspect.isawaitable(result) else result]
        except Exception as error:
            return [error]

    async def _together(self, *calls: Callable[[], Any]) -> list[Any]:
        if self.async_http is not None:
            return await asyncio.gather(*[call() for call in calls], return_exceptions=True)
        with ThreadPoolExecutor(len(calls)) as pool:
            futures = [pool.submit(call) for call in calls]
        return [future.exception() or future.result() for future in futures]

    def _invoke(self, call: str, name: str, values: list[Any]) -> Any:
        """Return the result of threads, or the coroutine of tasks."""
        if call.startswith("verify_"):
            return self._verify(call, self._object("id_token_verifier", name), values)
        if call in {"start_authorization", "start_logout", "finish_authorization"}:
            return self._redirect(call, self._object("session", name), values)
        if call == "request":
            return self._request(BearerAuth(self._object("session", name), [AUDIENCE]), *values)
        kind = _KINDS.get(call, "session")
        return getattr(self._object(kind, name), call if kind == "session" else "verify")(*values)

    def _redirect(self, call: str, session: Any, values: list[Any]) -> Any:
        """Call with the random values of this scenario, and return a URL without them."""
        if call == "finish_authorization":
            assert self.server.pending is not None
            callback, *issuer = values
            pending = replace(self.server.pending, issuer=issuer[0]) if issuer else self.server.pending
            finished = session.finish_authorization(pending, f"{callback}&state={pending.state}")
            return self._then(finished, self._keep_tokens)
        request = AuthorizationRequest(*values) if call == "start_authorization" else values[0]
        return self._then(getattr(session, call)(request), self._without_random_values)

    def _verify(self, call: str, verifier: Any, values: list[Any]) -> Any:
        """Verify the ID token of the last login, whose nonce is not the random one, or a logout token."""
        if call == "verify_logout_token":
            return self._then(verifier.verify_logout_token(*values), lambda token: token.subject)
        assert self.server.pending is not None
        pending = replace(self.server.pending, nonce="the-nonce")
        return self._then(verifier.verify(self._tokens, pending), lambda token: token.subject)

    def _then(self, result: Any, use: Callable[[Any], T]) -> Any:
        """Apply `use` to a result of threads, or to the awaited result of tasks."""

        async def awaited() -> T:
            return use(await result)

        return awaited() if inspect.isawaitable(result) else use(result)

    def _keep_tokens(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def _without_random_values(self, started: tuple[str, Any]) -> str:
        url, kept = started
        if isinstance(kept, PendingAuthorization):
            self.server.pending = kept
            assert f"&state={kept.state}&code_challenge={code_challenge(kept.code_verifier)}&" in url
        url = re.sub("&(state|code_challenge)=[^&]{43}(?=&|$)", "", url)
        return url.replace(TOKENS["id token"], "id token")

    def _request(self, auth: BearerAuth, method: str, url: str, body: str) -> Any:
        async def send(http: httpx2.AsyncClient) -> int:
            return (await http.request(method, url, content=body, auth=auth)).status_code

        if self.async_http is not None:
            return send(self.async_http)
        return self.http.request(method, url, content=body, auth=auth).status_code

    def _object(self, kind: str, name: str) -> Any:
        if (kind, name) not in self._objects:
            self._objects[kind, name] = self._created(kind)
        return self._objects[kind, name]

    def _created(self, kind: str) -> Any:
        def clock() -> float:
            return self.now

        makers: dict[str, tuple[type, type, tuple[Any, ...], dict[str, Any]]] = {
            "session": (TokenSession, AsyncTokenSession, (ISSUER, CLIENT), {"storage": self.storage}),
            "introspector": (Introspector, AsyncIntrospector, (ISSUER, CLIENT, AUDIENCE), {"monotonic": clock}),
            "id_token_verifier": (IdTokenVerifier, AsyncIdTokenVerifier, (ISSUER, "web"), {"monotonic": clock}),
            "verifier": (Verifier, AsyncVerifier, (ISSUER, AUDIENCE), {"monotonic": clock, **self._verifier_options()}),
        }
        of_threads, of_tasks, values, options = makers[kind]
        make, http = (of_threads, self.http) if self.async_http is None else (of_tasks, self.async_http)
        return make(*values, clock=clock, http=http, **options)

    def _verifier_options(self) -> dict[str, Any]:
        status = self._options.get("status")
        return self._options if status is None else {**self._options, "status": StatusPolling(**status)}

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return _driven(self.server.respond(request))

    async def _handle_async(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        await _async_sleep(0)
        return await self.server.respond(request)

    def _stored(self, names: Mapping[str, Any] | None) -> dict[str, Any] | None:
        kept = self.storage.kept
        if kept is None:
            return None
        facts = {
            "access_token": kept.tokens.access_token,
            "refresh_token": kept.tokens.refresh_token,
            "expires_at": kept.tokens.expires_at and kept.tokens.expires_at - START,
            "scope": kept.scope,
            "pending": kept.pending is not None,
        }
        return {name: facts[name] for name in names or facts}

    def wait(self, seconds: float) -> None:
        """Let time pass, in the place of `time.sleep` of the client."""
        self._pauses += 1
        self.now += seconds
        _sleep(0.001)

    async def wait_async(self, seconds: float) -> None:
        self._pauses += 1
        self.now += seconds
        await _async_sleep(0.001)


def run_with_threads(scenario: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    world = Scenario(scenario.get("options"), is_async=False)
    patch.setattr("jeton_client.executors.time.sleep", world.wait)
    with world.http:
        _driven(world.run(scenario))


def run_with_tasks(scenario: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        world = Scenario(scenario.get("options"), is_async=True)
        patch.setattr("jeton_client.executors.asyncio.sleep", world.wait_async)
        assert world.async_http is not None
        async with world.async_http:
            await world.run(scenario)

    asyncio.run(run())


def _driven(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never suspends, because in threads each step blocks."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration is not generic
    raise AssertionError("the work waits")
