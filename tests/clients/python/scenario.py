"""Runner of scenario vectors: events in, requests and outcomes out (tests/vectors/README.md)."""

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import httpx2
import pytest

from clients.python.failing_storage import FailingStorage
from clients.python.vectors import AUDIENCE, ISSUER, SERVER, START, TOKENS, answer_of, check
from jeton_client import (
    AsyncIntrospector,
    AsyncTokenSession,
    AsyncVerifier,
    BearerAuth,
    Client,
    Introspector,
    StatusPolling,
    TokenSession,
    Verifier,
)

T = TypeVar("T")

CLIENT: Final = Client("web", "the-secret")
SECRETS: Final = ("access-1", "access-2", "access-o", "refresh-1", "refresh-2", "the-password", "the-secret", "Basic ")
_LOGIN: Final = {"call": "log_in", "with": ["alice", "the-password", "read"], "requests": ["metadata", "log in"]}
_pause: Final = time.sleep
_async_pause: Final = asyncio.sleep


class Scenario:
    """An imaginary server, a clock, a storage, and the objects that use them. Each request must be the next listed."""

    def __init__(self, options: Mapping[str, Any] | None = None, *, is_async: bool) -> None:
        self.now: float = START
        self.storage = FailingStorage()
        self.http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._handle_async)) if is_async else None
        self.sync_http = httpx2.Client(transport=httpx2.MockTransport(self._handle))
        self._options = dict(options or {})
        self._objects: dict[tuple[str, str], Any] = {}
        self._expected: deque[Mapping[str, Any]] = deque()
        self._failures: list[AssertionError] = []
        self._keys: dict[str, str] = {}
        self._pauses = 0

    async def run(self, scenario: Mapping[str, Any]) -> None:
        for step in [_LOGIN] * scenario.get("logged_in", False) + scenario["steps"]:
            await self.step(step)
        assert not any(secret in repr(list(self._objects.values())) for secret in SECRETS)

    async def step(self, step: Mapping[str, Any]) -> None:
        if "advance" in step:
            self.now += step["advance"]
        elif "storage_fails" in step:
            self.storage.failing = dict.fromkeys(step["storage_fails"], OSError(28, "full"))
        elif "stored" in step:
            assert self._stored(step["stored"]) == step["stored"]
        else:
            await self._call(step)

    async def _call(self, step: Mapping[str, Any]) -> None:
        before, pauses = self._expected, self._pauses
        self._expected = deque(_listed(step))
        arguments = [TOKENS.get(text, text) if isinstance(text, str) else text for text in step.get("with", [])]
        sessions = step.get("sessions", [step.get("session", "first")])
        calls: list[Callable[[], Any]] = [
            partial(self._invoke, step["call"], name, arguments) for name in sessions * step.get("times", 1)
        ]
        for outcome in await (self._at_once(calls) if len(calls) > 1 else self._alone(*calls)):
            assert isinstance(outcome, str) or not any(secret in f"{outcome!r} {outcome}" for secret in SECRETS)
            check(step, outcome)
        assert not self._failures, self._failures
        assert not self._expected, f"not requested: {list(self._expected)}"
        assert step.get("pauses", self._pauses - pauses) == self._pauses - pauses
        self._expected = before

    async def _alone(self, call: Callable[[], Any]) -> list[Any]:
        try:
            result = call()
            return [await result if inspect.isawaitable(result) else result]
        except Exception as error:
            return [error]

    async def _at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        if self.http is not None:
            return await asyncio.gather(*[call() for call in calls], return_exceptions=True)
        with ThreadPoolExecutor(len(calls)) as pool:
            futures = [pool.submit(call) for call in calls]
        return [future.exception() or future.result() for future in futures]

    def _invoke(self, call: str, name: str, arguments: list[Any]) -> Any:
        if call == "request":
            return self._request(BearerAuth(self._object("session", name), [AUDIENCE]), *arguments)
        kind = {"verify": "verifier", "introspect": "introspector"}.get(call, "session")
        return getattr(self._object(kind, name), "verify" if kind != "session" else call)(*arguments)

    def _request(self, auth: BearerAuth, method: str, url: str, body: str) -> Any:
        async def send(http: httpx2.AsyncClient) -> int:
            return (await http.request(method, url, content=body, auth=auth)).status_code

        if self.http is not None:
            return send(self.http)
        return self.sync_http.request(method, url, content=body, auth=auth).status_code

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
            "verifier": (Verifier, AsyncVerifier, (ISSUER, AUDIENCE), {"monotonic": clock, **self._verifier_options()}),
        }
        of_threads, of_tasks, arguments, options = makers[kind]
        if self.http is None:
            return of_threads(*arguments, clock=clock, http=self.sync_http, **options)
        return of_tasks(*arguments, clock=clock, http=self.http, **options)

    def _verifier_options(self) -> dict[str, Any]:
        status = self._options.get("status")
        return self._options if status is None else {**self._options, "status": StatusPolling(**status)}

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return driven(self._answer(request))

    async def _handle_async(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        await _async_pause(0)
        return await self._answer(request)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        try:
            entry = self._next(request)
            for step in entry.get("meanwhile", []):
                await self.step(step)
        except AssertionError as error:  # kept, because a client takes any error for a lost response
            self._failures.append(error)
            raise
        name = entry.get("answer", SERVER["requests"][entry["request"]]["answer"])
        answer = answer_of(SERVER["answers"][name])
        if answer is None:
            raise httpx2.ReadError("lost")
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)

    def _next(self, request: httpx2.Request) -> Mapping[str, Any]:
        seen = _seen(request)
        entry = self._expected.popleft() if self._expected else {"request": None}
        assert _matches(SERVER["requests"].get(entry["request"]), seen), f"requested {seen} instead of {entry}"
        if seen["url"].endswith("/token"):
            self._check_token_request(seen["form"], request.headers.get("idempotency-key"))
        return entry

    def _check_token_request(self, form: Mapping[str, str], key: str | None) -> None:
        """Check what holds for each token request: the lock, and the stored key, one for each refresh token."""
        assert self.storage.is_locked
        presented, kept = form.get("refresh_token"), self.storage.kept
        if presented is None:
            assert key is None
            return
        assert key is not None
        assert len(key) >= 32
        assert self._keys.setdefault(presented, key) == key
        assert len(set(self._keys.values())) == len(self._keys)
        assert kept is not None
        assert kept.pending is not None
        assert (kept.pending.idempotency_key, kept.tokens.refresh_token) == (key, presented)

    def _stored(self, names: Mapping[str, Any] | None) -> dict[str, Any] | None:
        kept = self.storage.kept
        if kept is None:
            return None
        expires_at = kept.tokens.expires_at and kept.tokens.expires_at - START
        facts = {
            "access_token": kept.tokens.access_token,
            "refresh_token": kept.tokens.refresh_token,
            "expires_at": expires_at,
            "scope": kept.scope,
            "pending": kept.pending is not None,
        }
        return {name: facts[name] for name in names or facts}

    def wait(self, seconds: float) -> None:
        """Let time pass, as `time.sleep` of the client."""
        self._pauses += 1
        self.now += seconds
        _pause(0.001)

    async def wait_async(self, seconds: float) -> None:
        self._pauses += 1
        self.now += seconds
        await _async_pause(0.001)


def driven(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work that never waits for anything."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration is not generic
    raise AssertionError("the work waits")


def run_with_threads(scenario: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    world = Scenario(scenario.get("options"), is_async=False)
    patch.setattr("jeton_client.executors.time.sleep", world.wait)
    with world.sync_http:
        driven(world.run(scenario))


def run_with_tasks(scenario: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        world = Scenario(scenario.get("options"), is_async=True)
        patch.setattr("jeton_client.executors.asyncio.sleep", world.wait_async)
        assert world.http is not None
        async with world.http:
            await world.run(scenario)

    asyncio.run(run())


def _listed(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries: list[dict[str, Any]] = [{"request": it} if isinstance(it, str) else it for it in step.get("requests", [])]
    return [entry for entry in entries for _ in range(entry.get("times", 1))]


def _seen(request: httpx2.Request) -> dict[str, Any]:
    body = request.content.decode()
    headers = dict(request.headers.items())
    is_form = headers.get("content-type") == "application/x-www-form-urlencoded"
    form = dict(parse_qsl(body, keep_blank_values=True)) if is_form else {}
    return {
        "method": request.method,
        "url": str(request.url),
        "headers": headers,
        "form": form,
        "body": "" if is_form else body,
    }


def _matches(expected: Mapping[str, Any] | None, seen: Mapping[str, Any]) -> bool:
    if expected is None:
        return False
    headers = expected.get("headers", {})
    return (
        (expected["method"], expected["url"]) == (seen["method"], seen["url"])
        and (expected.get("form", {}), expected.get("body", "")) == (seen["form"], seen["body"])
        and all(seen["headers"].get(name) == value for name, value in headers.items())
    )
