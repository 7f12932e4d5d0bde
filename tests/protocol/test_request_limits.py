"""Limits for the token endpoint: requests per client, and the spacing of a session's refreshes (RFC 6585 4)."""

from collections.abc import Awaitable, Callable

import pytest

from support.client_addresses import seen_from
from support.in_process_server import Running

StartServer = Callable[..., Awaitable[Running]]


async def test_requests_of_one_client_beyond_its_limit_hear_429(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_REQUESTS_PER_CLIENT="4")
    app, other = jeton.add_client(), jeton.add_client("other")

    answers = [await jeton.token(app, None, grant_type="client_credentials") for _ in range(5)]

    assert [it.status_code for it in answers] == [200] * 4 + [429]
    assert answers[-1].headers["retry-after"] == "15"
    assert (await jeton.token(other, None, grant_type="client_credentials")).status_code == 200
    jeton.clock.advance(15)
    assert (await jeton.token(app, None, grant_type="client_credentials")).status_code == 200


@pytest.mark.requirement("N14")
async def test_who_misuses_a_public_clients_name_takes_nothing_from_others(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_REQUESTS_PER_CLIENT="2")
    app = jeton.add_client(public=True)
    jeton.add_user()
    for status in (400, 400, 429):
        assert (await jeton.token(app, None, grant_type="refresh_token", refresh_token="x")).status_code == status

    assert await seen_from(jeton, "198.51.100.7").log_in(app)


async def test_who_cannot_prove_to_be_the_client_does_not_use_up_its_requests(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_REQUESTS_PER_CLIENT="1")
    app = jeton.add_client()
    for _ in range(5):
        assert (
            await jeton.http.post("/oauth/token", auth=(app.client_id, "guess"), data={"a": "b"})
        ).status_code == 401

    assert (await jeton.token(app, None, grant_type="client_credentials")).status_code == 200


async def test_a_session_refreshed_too_soon_hears_when_to_come_again_and_loses_nothing(start: StartServer) -> None:
    jeton = await start(LIMITS__REFRESH_SPACING_SECONDS="60")
    app = jeton.add_client()
    jeton.add_user()
    token = (await jeton.log_in(app))["refresh_token"]
    jeton.clock.advance(45)

    early = await jeton.refresh(app, token)

    assert (early.status_code, early.json()["error"]) == (429, "temporarily_unavailable")
    assert early.headers["retry-after"] == "15"
    jeton.clock.advance(15)
    assert await jeton.refreshed(app, token)


async def test_a_repeated_refresh_is_no_refresh_too_soon(start: StartServer) -> None:
    jeton = await start(LIMITS__REFRESH_SPACING_SECONDS="60")
    app = jeton.add_client()
    jeton.add_user()
    token = (await jeton.log_in(app))["refresh_token"]
    jeton.clock.advance(60)

    answers = [await jeton.refresh(app, token, "the same key") for _ in range(2)]

    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content


@pytest.mark.requirement("I08")
async def test_a_replay_ends_the_session_however_soon_it_comes(start: StartServer) -> None:
    jeton = await start(LIMITS__REFRESH_SPACING_SECONDS="60")
    app = jeton.add_client()
    jeton.add_user()
    token = (await jeton.log_in(app))["refresh_token"]
    jeton.clock.advance(60)
    successor = (await jeton.refreshed(app, token))["refresh_token"]

    assert (await jeton.refresh(app, token)).json()["error"] == "invalid_grant"

    jeton.clock.advance(60)
    assert (await jeton.refresh(app, successor)).json()["error"] == "invalid_grant"
