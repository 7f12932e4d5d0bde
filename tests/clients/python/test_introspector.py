"""Asking the server about tokens (RFC 7662): how long an answer counts, and what becomes of a token meanwhile."""

from typing import Any

import pytest

from clients.python.world import AUDIENCE, ISSUER, NOW, World, as_json, refused
from jeton_client.client_authentication import Client
from jeton_client.errors import InvalidTokenError, VerificationUnavailableError
from jeton_client.introspector import CacheLimits, Introspector, IntrospectorOperations
from jeton_client.messages import Answer, Request
from jeton_client.verifier import Verifier


class Server:
    """Says of each token what it is told to."""

    def __init__(self) -> None:
        self.active: dict[str, dict[str, Any]] = {}
        self.answer: Answer | None = None
        self.away = False

    def __call__(self, request: Request) -> Answer | None:
        if self.away or self.answer:
            return self.answer
        token = dict(request.form or {})["token"]
        known = (
            {"active": True, "token_type": "Bearer", "aud": AUDIENCE, "sub": "u_1", **self.active[token]}
            if token in self.active
            else None
        )
        return as_json(known or {"active": False})


@pytest.fixture
def server() -> Server:
    server = Server()
    server.active["good"] = {"exp": NOW + 600, "scope": "read"}
    return server


@pytest.fixture
def world(server: Server) -> World:
    return World({"https://as.example/introspect": server})


@pytest.fixture
def service(world: World) -> IntrospectorOperations:
    return IntrospectorOperations(ISSUER, Client("api", "s"), AUDIENCE, CacheLimits(5, 30), world.clock, world.clock)


def asked(world: World) -> int:
    return len(world.asked_of("/introspect"))


def test_a_good_answer_counts_for_so_many_seconds(
    service: IntrospectorOperations, server: Server, world: World
) -> None:
    assert world.follow(service.verify("good")).scope == {"read"}
    server.active.clear()
    world.now += 4.9
    assert world.follow(service.verify("good")).subject == "u_1"
    assert asked(world) == 1

    world.now += 0.1

    with pytest.raises(InvalidTokenError, match="inactive"):
        world.follow(service.verify("good"))


def test_a_good_answer_never_counts_past_the_end_of_the_token(
    service: IntrospectorOperations, server: Server, world: World
) -> None:
    server.active["short"] = {"exp": NOW + 2}
    world.follow(service.verify("short"))

    world.now += 2

    with pytest.raises(InvalidTokenError, match="exp"):
        world.follow(service.verify("short"))


def test_a_bad_answer_counts_too(service: IntrospectorOperations, server: Server, world: World) -> None:
    for _ in range(3):
        with pytest.raises(InvalidTokenError, match="inactive"):
            world.follow(service.verify("bad"))
    assert asked(world) == 1
    server.active["bad"] = {}

    world.now += 30

    assert world.follow(service.verify("bad")).subject == "u_1"


@pytest.mark.parametrize(
    "answer", [None, Answer(503, {}, b""), refused("invalid_client", 401)], ids=["lost", "503", "401"]
)
def test_no_answer_counts_for_nobody(
    service: IntrospectorOperations, server: Server, world: World, answer: Answer | None
) -> None:
    server.away, server.answer = True, answer
    with pytest.raises(VerificationUnavailableError):
        world.follow(service.verify("good"))

    server.away, server.answer = False, None

    assert world.follow(service.verify("good")).subject == "u_1"


def test_a_flood_of_bad_tokens_drives_out_no_good_one(
    service: IntrospectorOperations, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton_client.introspector.MAX_ANSWERS", 10)
    world.follow(service.verify("good"))

    for number in range(11):
        with pytest.raises(InvalidTokenError):
            world.follow(service.verify(f"bad {number}"))

    world.follow(service.verify("good"))
    assert asked(world) == 1 + 11
    assert len(service._bad._answers) == 10


@pytest.mark.parametrize(
    "token", ["", "x" * 8193, "é", "\ud800", "a\n"], ids=["empty", "too long", "not ASCII", "no text", "a line feed"]
)
def test_what_can_be_no_token_is_asked_of_nobody(service: IntrospectorOperations, world: World, token: str) -> None:
    with pytest.raises(InvalidTokenError, match="malformed"):
        world.follow(service.verify(token))

    assert world.asked == []


@pytest.mark.parametrize("audience", [None, "", []], ids=repr)
def test_an_audience_that_would_match_what_names_nobody_is_refused(audience: Any) -> None:
    for make in (
        lambda: Introspector(ISSUER, Client("api", "s"), audience),
        lambda: Verifier(ISSUER, audience),
    ):
        with pytest.raises(ValueError, match="audience is required"):
            make()
