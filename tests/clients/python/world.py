"""A world without network and waiting: operations are followed here, against an imaginary authorization server."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from jeton_client.client_authentication import Client
from jeton_client.messages import Answer, Request
from jeton_client.operations import Do, Operation, Shared, Step, T, Wait

ISSUER: Final = "https://as.example/tenant"
AUDIENCE: Final = "https://api.example"
NOW: Final = 1_800_000_000
APP: Final = Client("web", "the-secret")
METADATA_URL: Final = "https://as.example/.well-known/oauth-authorization-server/tenant"
METADATA: Final = {
    "issuer": ISSUER,
    "token_endpoint": "https://as.example/token",
    "revocation_endpoint": "https://as.example/revoke",
    "introspection_endpoint": "https://as.example/introspect",
    "jwks_uri": "https://as.example/keys",
}


def as_json(members: Any, status: int = 200, **headers: str) -> Answer:
    """`cache_control` stands for `cache-control`."""
    return Answer(status, {name.replace("_", "-"): it for name, it in headers.items()}, json.dumps(members).encode())


def refused(error: str, status: int = 400) -> Answer:
    return as_json({"error": error}, status)


@dataclass
class World:
    """Its time, who answers which path, and what was asked."""

    answers: dict[str, Callable[[Request], Answer | None]] = field(default_factory=dict)
    now: float = NOW
    asked: list[Request] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers.setdefault(METADATA_URL, lambda _: as_json(METADATA))

    def clock(self) -> float:
        return self.now

    def follow(self, operation: Operation[T]) -> T:
        """The operation to its end; waiting moves the clock."""
        advance: Callable[[], Step] = partial(operation.send, None)
        while True:
            try:
                step = advance()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # StopIteration's value has no type
            try:
                advance = partial(operation.send, self.take(step))
            except Exception as error:
                advance = partial(operation.throw, error)

    def take(self, step: Step) -> Any:
        match step:
            case Request():
                return self.send(step)
            case Wait(seconds):
                self.waited.append(seconds)
                self.now += seconds
                return None
            case Do(call):
                return call()
            case Shared(operation=operation):
                return self.follow(operation())

    def send(self, request: Request) -> Answer | None:
        self.asked.append(request)
        if request.url not in self.answers and "/.well-known/" in request.url:
            return Answer(404, {}, b"")
        return self.answers[request.url](request)

    def asked_of(self, path: str) -> list[dict[str, str]]:
        """The forms sent to this path, with the Idempotency-Key among them."""
        found = [request for request in self.asked if request.url == f"https://as.example{path}"]
        return [dict(parse_qsl((it.body or b"").decode())) | _key(it) for it in found]


def _key(request: Request) -> dict[str, str]:
    return {"key": request.headers["idempotency-key"]} if "idempotency-key" in request.headers else {}


@dataclass
class TokenEndpoint:
    """Logs anybody in, rotates refresh tokens strictly but for the same key, and does what it is told to first."""

    lifetime: int = 600
    generation: int = 0
    first: list[Answer | Callable[[], None] | None] = field(default_factory=list)
    lose: int = 0
    answered: dict[str, Answer] = field(default_factory=dict)
    reuse: int = 0

    def __call__(self, request: Request) -> Answer | None:
        if self.first:
            told = self.first.pop(0)
            if not callable(told):
                return told
            told()
        form = dict(request.form or {})
        answer = self.refreshed(form["refresh_token"], request) if "refresh_token" in form else self.issue()
        if self.lose:
            self.lose -= 1
            return None
        return answer

    def refreshed(self, refresh_token: str, request: Request) -> Answer:
        key = request.headers["idempotency-key"]
        if refresh_token == f"r{self.generation}":
            self.answered = {key: self.issue()}
        elif key not in self.answered:
            self.reuse += 1
            return refused("invalid_grant")
        return self.answered[key]

    def issue(self) -> Answer:
        self.generation += 1
        return as_json(
            {
                "access_token": f"a{self.generation}",
                "token_type": "Bearer",
                "expires_in": self.lifetime,
                "refresh_token": f"r{self.generation}",
            }
        )
