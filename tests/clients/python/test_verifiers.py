"""Verifier and introspector, beyond the scenarios: what they cannot be created with, and the size of their caches."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from clients.python.scenario import CLIENT
from clients.python.vectors import AUDIENCE, ISSUER, SERVER, START, TOKENS, answer_of, read
from jeton_client import AccessToken, AsyncVerifier, Introspector, InvalidTokenError, StatusPolling, Verifier
from jeton_client.access_token import Rules, StatusReference
from jeton_client.verified_tokens import VerifiedTokens
from jeton_client.verifier_operations import VerifierOperations

METADATA = SERVER["answers"]["metadata"]["body"]
KEY_SET = read("public_keys")
TOKEN = AccessToken("u_1", "web", 10)


@pytest.mark.parametrize("audience", [None, "", []], ids=repr)
def test_an_audience_is_required(audience: Any) -> None:
    for make in (lambda: Introspector(ISSUER, CLIENT, audience), lambda: Verifier(ISSUER, audience)):
        with pytest.raises(ValueError, match="audience is required"):
            make()


@pytest.mark.parametrize("algorithms", [[], ["none"], ["RS256", "HS256"]], ids=str)
def test_only_algorithms_with_public_keys_can_be_allowed(algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="algorithms must be among"):
        Verifier(ISSUER, AUDIENCE, algorithms=algorithms)


@pytest.mark.parametrize("max_cache_entries", [0, 1])
def test_a_cached_token_is_returned_itself(max_cache_entries: int) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=KEY_SET if "/keys" in str(request.url) else METADATA)

    http = httpx2.Client(transport=httpx2.MockTransport(handle))
    verifier = Verifier(ISSUER, AUDIENCE, max_cache_entries=max_cache_entries, http=http, clock=lambda: START)
    first, second = (verifier.verify(TOKENS["good"]) for _ in range(2))

    assert (first is second) == (max_cache_entries == 1)


def test_the_oldest_verified_token_is_evicted() -> None:
    keys: dict[str, Any] = {}
    cache = VerifiedTokens(2)
    for token in ("1", "2", "3"):
        cache.add(token, TOKEN, keys)

    assert [cache.get(token, keys, 0) for token in ("1", "2", "3")] == [None, TOKEN, TOKEN]


def test_verified_tokens_end_with_their_keys_and_at_their_expiry() -> None:
    keys: dict[str, Any] = {}
    cache = VerifiedTokens(2)
    cache.add("1", TOKEN, keys)

    assert [cache.get("1", keys, 9.9), cache.get("1", keys, 10), cache.get("1", {}, 0)] == [TOKEN, None, None]
    other: dict[str, Any] = {}
    cache.add("2", TOKEN, other)
    assert [cache.get("1", other, 0), cache.get("2", other, 0)] == [None, TOKEN]


def test_many_invalid_tokens_evict_no_valid_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton_client.introspector.MAX_ANSWERS", 10)
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200, json=METADATA)
        [token] = parse_qs(request.content.decode())["token"]
        asked.append(token)
        return httpx2.Response(200, json=SERVER["answers"]["active" if token == "valid" else "inactive"]["body"])

    http = httpx2.Client(transport=httpx2.MockTransport(handle))
    introspector = Introspector(ISSUER, CLIENT, AUDIENCE, http=http, clock=lambda: 0, monotonic=lambda: 0)
    introspector.verify("valid")
    invalid = [f"invalid {number}" for number in range(11)]
    for token in [*invalid, *reversed(invalid)]:
        with pytest.raises(InvalidTokenError):
            introspector.verify(token)
    introspector.verify("valid")

    assert asked == ["valid", *invalid, "invalid 0"]


@pytest.mark.parametrize("slow", ["keys", "list"])
async def test_callers_that_arrive_during_a_fetch_wait_for_it(slow: str) -> None:
    arrived, finish = asyncio.Event(), asyncio.Event()
    names = {SERVER["requests"][name]["url"]: name for name in ("metadata", "keys", "list")}

    async def handle(request: httpx2.Request) -> httpx2.Response:
        name = names[str(request.url)]
        if name == slow:
            arrived.set()
            await finish.wait()
        answer = answer_of(SERVER["answers"][SERVER["requests"][name]["answer"]])
        assert answer is not None
        return httpx2.Response(200, content=answer.body)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(handle)) as http:
        verifier = AsyncVerifier(ISSUER, AUDIENCE, http=http, clock=lambda: START, monotonic=lambda: START)
        first = asyncio.ensure_future(verifier.verify(TOKENS["listed 3"]))
        await arrived.wait()
        second = asyncio.ensure_future(verifier.verify(TOKENS["listed 4"]))
        for _ in range(5):
            await asyncio.sleep(0)
        finish.set()
        outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [AccessToken, AccessToken]


def test_threads_can_share_a_verifier_that_follows_many_lists() -> None:
    operations = VerifierOperations(Rules(ISSUER, AUDIENCE), StatusPolling(), 0, lambda: START, lambda: START)

    def follow(thread: int) -> None:
        for number in range(3000):
            operations._new_list(StatusReference(f"https://as.example/status/{thread}/{number}", 0))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(follow, range(6)))
    finally:
        sys.setswitchinterval(interval)
