"""limits.sessions_per_user: for one session more, the oldest ends; exactly, however many logins come at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from jeton.storage.families import list_families
from support.in_process_server import PASSWORD, Running

StartServer = Callable[..., Awaitable[Running]]


def open_sessions(jeton: Running) -> int:
    with jeton.database.read() as connection:
        return len(list_families(connection, jeton.clock.now()))


@pytest.mark.requirement("O13")
async def test_for_one_session_more_the_oldest_ends_with_all_its_tokens(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="3")
    jeton.add_user()
    web, phone = jeton.add_client("web"), jeton.add_client("phone")
    sessions: list[dict[str, Any]] = []
    with capture_logs() as lines:
        for app in (web, phone, web, phone, web):
            sessions.append(await jeton.log_in(app))
            jeton.clock.advance(1)

    assert [
        (await jeton.introspect(app, it["access_token"]))["active"]
        for app, it in zip((web, phone, web, phone, web), sessions, strict=True)
    ] == [False, False, True, True, True]
    assert (await jeton.refresh(web, sessions[0]["refresh_token"])).json()["error"] == "invalid_grant"
    assert await jeton.refreshed(web, sessions[2]["refresh_token"])
    ended = [it for it in lines if it["event"] == "session_ended"]
    assert [it["reason"] for it in ended] == ["too_many_sessions"] * 2


@pytest.mark.requirement("O13", "O16")
@pytest.mark.parametrize("most", [1, 5])
async def test_the_number_is_exact_however_many_log_in_at_once_on_two_nodes(start: StartServer, most: int) -> None:
    # Logins under way hold places among the failures until they succeed.
    limits = {"LIMITS__SESSIONS_PER_USER": str(most), "LIMITS__LOGIN_FAILURES_PER_ACCOUNT": "0"}
    nodes = [await start(**limits) for _ in range(2)]
    nodes[0].add_user()
    app = nodes[0].add_client()
    for _ in range(3):
        await nodes[0].log_in(app)

    for _ in range(3):
        answers = await asyncio.gather(
            *(
                nodes[number % 2].token(app, grant_type="password", username="alice", password=PASSWORD)
                for number in range(12)
            )
        )

        assert {it.status_code for it in answers} <= {200, 503}
        assert [it.status_code for it in answers].count(200) > most
        assert open_sessions(nodes[0]) == most


async def test_sessions_of_others_and_ended_ones_take_no_room(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="2")
    jeton.add_user()
    jeton.add_user("bob")
    app = jeton.add_client(lifetimes={"refresh_idle_seconds": 100})
    expired = await jeton.log_in(app)
    jeton.clock.advance(100)
    bobs = [await jeton.log_in(app, "bob") for _ in range(2)]
    first, logged_out = await jeton.log_in(app), await jeton.log_in(app)
    await jeton.revoke(app, logged_out["refresh_token"])

    await jeton.log_in(app)

    assert await jeton.refreshed(app, first["refresh_token"])
    assert [(await jeton.introspect(app, it["refresh_token"]))["active"] for it in (*bobs, expired)] == [
        True,
        True,
        False,
    ]


async def test_a_limit_that_was_lowered_holds_from_the_next_login_on(start: StartServer) -> None:
    before, after = await start(), await start(LIMITS__SESSIONS_PER_USER="2")
    before.add_user()
    app = before.add_client()
    for _ in range(6):
        await before.log_in(app)

    await after.log_in(app)

    assert open_sessions(after) == 2


async def test_zero_is_no_limit(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="0")
    jeton.add_user()
    app = jeton.add_client()

    for _ in range(103):
        await jeton.log_in(app)

    assert open_sessions(jeton) == 103


async def test_a_hundred_by_default(jeton: Running) -> None:
    jeton.add_user()
    app = jeton.add_client()

    for _ in range(103):
        await jeton.log_in(app)

    assert open_sessions(jeton) == 100
