"""ADR 0021: whatever a clock stamped that was ahead holds nothing back once it is right.

A fail-over to a database whose clock is slower is the same, and so is a first start with a wrong clock.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jeton.rules.attempts import RateLimited
from jeton.rules.key_lifecycle import PROPAGATION_SECONDS, active_and_next
from jeton.storage.signing_keys import load_signing_keys
from support.in_process_server import START, App, Running
from support.status_lists import reference, status_list

StartServer = Callable[..., Awaitable[Running]]
HOUR = 3600
STEPS = pytest.mark.parametrize("ahead", [10, 30, HOUR, 400 * 86400])


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


def put_back(jeton: Running, seconds: int) -> None:
    jeton.clock.advance(-seconds)
    jeton.maintenance.refresh()


@STEPS
@pytest.mark.requirement("O14", "O19")
async def test_keys_made_by_a_clock_that_was_ahead_sign(jeton: Running, app: App, ahead: int) -> None:
    put_back(jeton, ahead)

    assert (await jeton.http.get("/readyz")).status_code == 200
    tokens = await jeton.log_in(app)
    claims: Any = jeton.keyring.verifier.verify(tokens["access_token"])
    assert claims.claims["iat"] == START - ahead


@STEPS
@pytest.mark.requirement("O14", "O19")
async def test_so_they_do_after_a_restart_and_readyz_says_when(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr("support.in_process_server.START", START - ahead)
    jeton = await start()
    app = jeton.add_client()
    statuses = []

    for _ in range(2):
        token = await jeton.token(app, grant_type="client_credentials")
        ready = await jeton.http.get("/readyz")
        assert token.status_code == ready.status_code
        assert (ready.json().get("reason") == "no_signing_key") is (ready.status_code == 503)
        statuses.append(ready.status_code)
        jeton.clock.advance(PROPAGATION_SECONDS)

    # Until other servers may not have heard of the key it waits; never longer than that.
    assert statuses == [503 if ahead <= PROPAGATION_SECONDS else 200, 200]


async def test_stamps_of_signing_keys_are_put_right(jeton: Running) -> None:
    put_back(jeton, HOUR)

    with jeton.database.read() as connection:
        active, following = active_and_next(load_signing_keys(connection))
    assert (active.created_at, active.activated_at, following.created_at) == (START - HOUR,) * 3
    assert following.ready_at == START - HOUR


@STEPS
@pytest.mark.parametrize("spacing", ["0", "5"])
async def test_a_session_refreshed_by_a_clock_that_was_ahead_goes_on(
    start: StartServer, ahead: int, spacing: str
) -> None:
    jeton = await start(LIMITS__REFRESH_SPACING_SECONDS=spacing)
    app, _ = jeton.add_client(), jeton.add_user()
    token = (await jeton.log_in(app))["refresh_token"]
    put_back(jeton, ahead)

    first = await jeton.refresh(app, token, "key")

    assert first.status_code == 200
    assert (await jeton.refresh(app, token, "key")).content == first.content


@STEPS
async def test_a_lost_answer_is_repeated(jeton: Running, app: App, ahead: int) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    lost = await jeton.refresh(app, token, "key")
    put_back(jeton, ahead)

    assert (await jeton.refresh(app, token, "key")).content == lost.content


@STEPS
@pytest.mark.requirement("D05")
async def test_tokens_of_a_client_that_was_registered_ahead_of_time_are_active(
    jeton: Running, app: App, ahead: int
) -> None:
    put_back(jeton, ahead)
    own = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    assert (await jeton.introspect(app, own))["active"] is True
    assert (await jeton.introspect(app, (await jeton.log_in(app))["access_token"]))["active"] is True


@STEPS
async def test_a_full_bucket_of_a_time_to_come_is_none(start: StartServer, ahead: int) -> None:
    jeton = await start(LIMITS__SECRET_FAILURES_PER_ADDRESS="1", LIMITS__TOKEN_REQUESTS_PER_CLIENT="1")
    app, wrong = jeton.add_client(), jeton.add_client("other")
    for _ in range(3):
        await jeton.token(App(wrong.client, "wrong"), grant_type="client_credentials")
        await jeton.token(app, grant_type="client_credentials")
    put_back(jeton, ahead)

    assert (await jeton.token(App(wrong.client, "wrong"), grant_type="client_credentials")).status_code == 401
    assert (await jeton.token(app, grant_type="client_credentials")).status_code == 200


async def test_a_refusal_is_not_remembered_for_as_long_as_the_clock_was_ahead(jeton: Running) -> None:
    throttle = jeton.rate_limiter
    throttle.remember(b"key", RateLimited("address", b"key", START + HOUR))
    assert throttle.remembered(b"key") is not None

    jeton.clock.advance(-HOUR)

    assert throttle.remembered(b"key") is None


async def test_a_status_list_of_a_time_to_come_is_signed_again(jeton: Running, app: App) -> None:
    uri = reference((await jeton.log_in(app))["access_token"])["uri"]
    jeton.maintenance.refresh()
    assert (await status_list(jeton, uri))["iat"] == START
    put_back(jeton, HOUR)

    assert (await status_list(jeton, uri))["iat"] == START - HOUR
