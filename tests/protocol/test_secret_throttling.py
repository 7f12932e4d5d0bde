"""Wrong client secrets and unknown tokens: too many are answered 429, the right one always gets in (RFC 6749 2.3.1).

Both have 256 bits: what is held back is the noise and the cost of guessing, and nobody is locked out by it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.crypto.credentials import generate_client_secret
from jeton.crypto.refresh_token import RefreshTokens, generate_sid
from support.client_addresses import seen_from
from support.in_process_server import App, Running

StartServer = Callable[..., Awaitable[Running]]
ENDPOINTS = {
    "/oauth/token": {"grant_type": "client_credentials"},
    "/oauth/revoke": {"token": "any"},
    "/oauth/introspect": {"token": "any"},
}


@pytest.fixture
async def jeton(start: StartServer) -> Running:
    return await start(
        LIMITS__SECRET_FAILURES_PER_ADDRESS="3",
        LIMITS__SECRET_FAILURES_PER_CLIENT="5",
        LIMITS__TOKEN_FAILURES_PER_ADDRESS="3",
    )


def with_wrong_secret(app: App) -> App:
    return replace(app, secret=generate_client_secret())


def statuses(answers: list[httpx2.Response]) -> list[int]:
    return [it.status_code for it in answers]


def forged(jeton: Running) -> str:
    """A refresh token of our form, of no session."""
    parts = jeton.server.parts
    tokens: RefreshTokens = parts.refresh_tokens
    return tokens.derive(generate_sid(), 0, parts.master_key_id, b"x" * 32)


@pytest.mark.requirement("A09", "K07")
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_too_many_wrong_secrets_from_one_address_are_answered_429(jeton: Running, path: str) -> None:
    wrong = with_wrong_secret(jeton.add_client())

    answers = [await jeton.post(path, wrong, None, **ENDPOINTS[path]) for _ in range(5)]

    assert statuses(answers) == [401, 401, 401, 429, 429]
    assert answers[-1].headers["retry-after"] == "1200"
    assert statuses([await seen_from(jeton, "198.51.100.7").post(path, wrong, None, **ENDPOINTS[path])]) == [401]


async def test_secrets_of_clients_that_do_not_exist_count_alike(jeton: Running) -> None:
    wrong = with_wrong_secret(jeton.add_client())
    nobody = replace(wrong, client=replace(wrong.client, client_id="nobody"))

    answers = [await jeton.token(nobody, None, grant_type="client_credentials") for _ in range(4)]

    assert statuses(answers) == [401, 401, 401, 429]


@pytest.mark.requirement("A09")
async def test_wrong_secrets_of_one_client_from_many_addresses_are_answered_429(jeton: Running) -> None:
    wrong = with_wrong_secret(jeton.add_client())
    places = [seen_from(jeton, f"198.51.100.{number}") for number in range(7)]

    answers = [await it.token(wrong, None, grant_type="client_credentials") for it in places]

    assert statuses(answers) == [401] * 5 + [429] * 2


@pytest.mark.requirement("N14")
async def test_the_right_secret_gets_in_whatever_its_neighbours_do(jeton: Running) -> None:
    app = jeton.add_client()
    for _ in range(10):
        await jeton.token(with_wrong_secret(app), None, grant_type="client_credentials")

    assert (await jeton.token(app, None, grant_type="client_credentials")).status_code == 200


async def test_wrong_secrets_that_are_refused_are_told_in_the_log_once_in_a_while(jeton: Running) -> None:
    wrong = with_wrong_secret(jeton.add_client())
    with capture_logs() as lines:
        for _ in range(10):
            await jeton.token(wrong, None, grant_type="client_credentials")

    throttled = [it for it in lines if it["event"] == "client_secret_throttled"]
    assert [(it["by"], it["ip"]) for it in throttled] == [("address", "127.0.0.1")]


@pytest.mark.requirement("C12", "K07")
async def test_too_many_unknown_refresh_tokens_from_one_address_are_answered_429(jeton: Running) -> None:
    app = jeton.add_client(introspect=True)

    answers = [
        await jeton.refresh(app, forged(jeton)),
        await jeton.post("/oauth/introspect", app, None, token=forged(jeton)),
        await jeton.revoke(app, forged(jeton)),
        await jeton.refresh(app, forged(jeton)),
        await jeton.post("/oauth/introspect", app, None, token=forged(jeton)),
        await jeton.revoke(app, forged(jeton)),
    ]

    assert statuses(answers) == [400, 200, 200, 429, 429, 429]
    assert answers[-1].headers["retry-after"] == "1200"


@pytest.mark.requirement("N14")
async def test_a_genuine_refresh_token_is_redeemed_whatever_its_neighbours_do(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    for _ in range(10):
        await jeton.refresh(app, forged(jeton))

    assert await jeton.refreshed(app, tokens["refresh_token"])


async def test_what_does_not_look_like_a_token_of_ours_is_no_guess(jeton: Running) -> None:
    app = jeton.add_client()

    answers = [await jeton.refresh(app, f"jrt_{number}") for number in range(10)]

    assert statuses(answers) == [400] * 10
