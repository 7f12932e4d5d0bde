"""The server of a scenario: each request must be the next one that a step lists."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from clients.python.failing_storage import FailingStorage
from clients.python.vectors import SERVER, answer_of
from jeton_client import PendingAuthorization

Step = Mapping[str, Any]


class ScenarioServer:
    """A server that responds to requests, and runs the steps of a scenario that happen during a request."""

    def __init__(self, storage: FailingStorage, run_step: Callable[[Step], Awaitable[None]]) -> None:
        self._storage = storage
        self._run_step = run_step
        self._expected: deque[Step] = deque()
        self._failures: list[AssertionError] = []
        self._keys: dict[str, str] = {}
        self.pending: PendingAuthorization | None = None

    @contextmanager
    def expecting(self, step: Step) -> Iterator[None]:
        """Expect the requests of this step, which may happen during a request of another one."""
        before, self._expected = self._expected, deque(_listed(step))
        yield
        assert not self._failures, self._failures
        assert not self._expected, f"not requested: {list(self._expected)}"
        self._expected = before

    async def respond(self, request: httpx2.Request) -> httpx2.Response:
        """Return the listed response. Raise ReadError if it is lost."""
        try:
            entry = self._next(request)
            for step in entry.get("meanwhile", []):
                await self._run_step(step)
        except AssertionError as error:  # kept, because a client takes any error for a lost response
            self._failures.append(error)
            raise
        answer = answer_of(SERVER["answers"][entry.get("answer", SERVER["requests"][entry["request"]]["answer"])])
        if answer is None:
            raise httpx2.ReadError("lost")
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)

    def _next(self, request: httpx2.Request) -> Step:
        assert self._expected, f"unexpected: {request.method} {request.url}"
        entry = self._expected.popleft()
        expected = SERVER["requests"][entry["request"]]
        seen = _seen(request, expected.get("headers", {}))
        if self.pending is not None and seen["form"].get("code_verifier") == self.pending.code_verifier:
            seen["form"]["code_verifier"] = "the verifier"
        assert seen == {"headers": {}, "form": {}, "body": "", **expected, "answer": None}
        if expected["url"].endswith("/token"):
            self._check_token_request(seen["form"], request.headers.get("idempotency-key"))
        return entry

    def _check_token_request(self, form: Mapping[str, str], key: str | None) -> None:
        """Check a token request: the lock is held, and its idempotency key is the stored one.

        There is one key for each refresh token or code.
        """
        assert self._storage.is_locked
        if "code" in form:
            assert self.pending is not None
            assert key == self.pending.idempotency_key
            return
        presented = form.get("refresh_token")
        assert (presented is None) == (key is None)
        if presented is None or key is None:
            return
        assert len(key) >= 32
        assert self._keys.setdefault(presented, key) == key
        assert len(set(self._keys.values())) == len(self._keys)
        kept = self._storage.kept
        assert kept is not None
        assert kept.pending is not None
        assert (kept.pending.idempotency_key, kept.tokens.refresh_token) == (key, presented)


def _listed(step: Step) -> list[Step]:
    entries: list[Step] = [{"request": it} if isinstance(it, str) else it for it in step.get("requests", [])]
    return [entry for entry in entries for _ in range(entry.get("times", 1))]


def _seen(request: httpx2.Request, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the request in the form of `server.json`, with these of its headers."""
    body = request.content.decode()
    is_form = request.headers.get("content-type") == "application/x-www-form-urlencoded"
    return {
        "method": request.method,
        "url": str(request.url),
        "headers": {name: request.headers.get(name) for name in headers},
        "form": dict(parse_qsl(body, keep_blank_values=True)) if is_form else {},
        "body": "" if is_form else body,
        "answer": None,
    }
