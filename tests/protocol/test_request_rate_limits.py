"""Rate limits of wrong secrets, forged tokens, requests of a client and refreshes of a session (RFC 6585 section 4).

Secrets and tokens have 256 bits: the limits save work, and a client with a valid one is never locked out by them.
"""

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.crypto.credentials import generate_client_secret
from jeton.crypto.refresh_token import generate_sid
from jeton.frozen import replace
from jeton.grants.memory_limits import MemoryLimits
from jeton.oauth.errors import OAuthError
from jeton.rules.rate_limit_policies import Rate
from jeton.storage.clock import Clock
from support.client_addresses import from_address
from support.in_process_server import App, Running, StartServer
from support.responses import outcome

OWN_NAME = {"grant_type": "client_credentials"}
FORMS = {"/oauth/token": OWN_NAME, "/oauth/revoke": {"token": "any"}, "/oauth/introspect": {"token": "any"}}
ABROAD = "198.51.100.7"


def statuses(answers: list[httpx2.Response]) -> list[int]:
    return [it.status_code for it in answers]


# Wrong secrets and forged tokens.


@pytest.fixture
async def limited(start: StartServer) -> Running:
    return await start(
        LIMITS__SECRET_FAILURES_PER_ADDRESS="3",
        LIMITS__SECRET_FAILURES_PER_CLIENT="5",
        LIMITS__TOKEN_FAILURES_PER_ADDRESS="3",
    )


def with_wrong_secret(app: App) -> App:
    return replace(app, secret=generate_client_secret())


def forged(jeton: Running) -> str:
    """Return a well-formed refresh token that belongs to no session."""
    return jeton.refresh_tokens.derive(generate_sid(), 0, jeton.server.parts.master_key_id, b"x" * 32)


@pytest.mark.both_databases
@pytest.mark.requirement("A09", "K07")
@pytest.mark.parametrize("path", FORMS)
async def test_too_many_wrong_secrets_from_one_address_are_answered_429(limited: Running, path: str) -> None:
    wrong = with_wrong_secret(limited.add_client())
    with capture_logs() as lines:
        answers = [await limited.post(path, wrong, None, **FORMS[path]) for _ in range(6)]

    assert statuses(answers) == [401, 401, 401, 429, 429, 429]
    assert answers[-1].headers["retry-after"] == "1200"
    assert (await from_address(limited, ABROAD).post(path, wrong, None, **FORMS[path])).status_code == 401
    logged = [(it["by"], it["ip"]) for it in lines if it["event"] == "client_secret_throttled"]
    assert logged == [("address", "127.0.0.1")]


@pytest.mark.requirement("A09", "N14")
async def test_wrong_secrets_of_one_client_from_many_addresses_are_429_and_the_right_one_never(
    limited: Running,
) -> None:
    app = limited.add_client()
    places = [from_address(limited, f"198.51.100.{number}") for number in range(7)]

    answers = [await it.token(with_wrong_secret(app), None, **OWN_NAME) for it in places]

    assert statuses(answers) == [401] * 5 + [429] * 2
    assert statuses([await it.token(app, None, **OWN_NAME) for it in places]) == [200] * 7


@pytest.mark.requirement("C12", "K07", "N14")
async def test_too_many_forged_refresh_tokens_from_one_address_are_429_and_a_genuine_one_never(
    limited: Running,
) -> None:
    app = limited.add_client(introspect=True)
    limited.add_user()
    genuine = (await limited.log_in(app))["refresh_token"]

    malformed, answers = [await limited.refresh(app, f"jrt_{number}") for number in range(5)], []
    for _ in range(2):
        answers.append(await limited.refresh(app, forged(limited)))
        answers.append(await limited.post("/oauth/introspect", app, None, token=forged(limited)))
        answers.append(await limited.revoke(app, forged(limited)))

    assert statuses(malformed + answers) == [400] * 5 + [400, 200, 200, 429, 429, 429]
    assert answers[-1].headers["retry-after"] == "1200"
    assert await limited.refreshed(app, genuine)


# Requests of a client.


async def test_requests_of_one_client_beyond_its_limit_are_answered_429(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_REQUESTS_PER_CLIENT="4")
    app, other = jeton.add_client(), jeton.add_client("other")
    for _ in range(5):
        assert (await jeton.token(with_wrong_secret(app), None, **OWN_NAME)).status_code == 401

    answers = [await jeton.token(app, None, **OWN_NAME) for _ in range(5)]

    assert statuses(answers) == [200] * 4 + [429]
    assert answers[-1].headers["retry-after"] == "15"
    assert (await jeton.token(other, None, **OWN_NAME)).status_code == 200
    jeton.clock.advance(15)
    assert (await jeton.token(app, None, **OWN_NAME)).status_code == 200


@pytest.mark.requirement("N14")
async def test_misuse_of_a_public_client_s_name_limits_one_address_only(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_REQUESTS_PER_CLIENT="2")
    app = jeton.add_client(public=True)
    jeton.add_user()

    assert statuses([await jeton.refresh(app, "x") for _ in range(3)]) == [400, 400, 429]
    assert await from_address(jeton, ABROAD).log_in(app)


def test_number_of_counted_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton.grants.memory_limits.MAX_BUCKETS", 2)
    limits, rate = MemoryLimits(Clock()), Rate(1, 60)

    for name in ("first", "second", "third", "first"):
        limits.count("requests_throttled", (("client", name), rate))

    with pytest.raises(OAuthError, match="requests_throttled_by_client"):
        limits.count("requests_throttled", (("client", "first"), rate))


# Refreshes of a session.


@pytest.fixture
async def spaced(start: StartServer) -> Running:
    """A server with 60 seconds between refreshes of a session, a client and a user."""
    jeton = await start(LIMITS__REFRESH_SPACING_SECONDS="60")
    jeton.add_user()
    return jeton


async def test_early_refresh_gets_a_retry_time_and_consumes_nothing(spaced: Running) -> None:
    app = spaced.add_client()
    token = (await spaced.log_in(app))["refresh_token"]
    spaced.clock.advance(45)

    early = await spaced.refresh(app, token)

    assert outcome(early) == (429, "temporarily_unavailable")
    assert early.headers["retry-after"] == "15"
    spaced.clock.advance(15)
    assert await spaced.refreshed(app, token)
