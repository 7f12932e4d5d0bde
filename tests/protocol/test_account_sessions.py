"""GET and DELETE /account/sessions: people see where they are logged in, and end it (ASVS 7.5.2)."""

from typing import Any

import httpx2
import pytest

from support.client_addresses import seen_from
from support.in_process_server import START, App, Running

PATH = "/account/sessions"
NOT_A_SID = ["AAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "%C3%A9"]


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client(scope=frozenset({"account"}))


async def request(jeton: Running, tokens: dict[str, Any], method: str = "GET", path: str = PATH) -> httpx2.Response:
    return await jeton.http.request(method, path, headers={"Authorization": f"Bearer {tokens['access_token']}"})


async def listed(jeton: Running, tokens: dict[str, Any]) -> list[dict[str, Any]]:
    response = await request(jeton, tokens)
    assert response.status_code == 200, response.text
    return list(response.json()["sessions"])


async def is_live(jeton: Running, app: App, tokens: dict[str, Any]) -> bool:
    """Both tokens, as introspection has it."""
    active = {bool((await jeton.introspect(app, tokens[it]))["active"]) for it in ("access_token", "refresh_token")}
    assert len(active) == 1
    return active.pop()


@pytest.mark.requirement("O04")
async def test_a_session_is_told_with_its_client_device_address_and_times(jeton: Running, app: App) -> None:
    headers = {"User-Agent": "Orders/1.0 (phone)"}
    form = {"grant_type": "password", "username": "alice", "password": "correct horse battery staple"}
    tokens = (await seen_from(jeton, "192.0.2.1").token(app, headers, **form)).json()
    jeton.clock.advance(30)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    tokens = (await seen_from(jeton, "192.0.2.2").token(app, headers, **form)).json()

    (session,) = await listed(jeton, tokens)

    assert len(session.pop("sid")) == 22
    assert session == {
        "client_id": app.client_id,
        "current": True,
        "created_at": START,
        "last_used_at": START + 30,
        "expires_at": START + 30 + 14 * 86400,
        "address": "192.0.2.2",
        "user_agent": "Orders/1.0 (phone)",
    }


@pytest.mark.requirement("O04")
async def test_all_live_sessions_of_the_user_are_listed_the_last_used_first_and_nobody_else_s(
    jeton: Running, app: App
) -> None:
    jeton.add_user("bob")
    other = jeton.add_client("other")
    first = await jeton.log_in(app)
    jeton.clock.advance(1)
    await jeton.log_in(other)
    ended = await jeton.log_in(app)
    await jeton.revoke(app, ended["refresh_token"])
    await jeton.log_in(app, "bob")

    sessions = await listed(jeton, first)

    assert [(it["client_id"], it["current"]) for it in sessions] == [("other", False), ("web", True)]


@pytest.mark.requirement("O03", "O04")
async def test_one_session_ends_at_once_and_no_other(jeton: Running, app: App) -> None:
    here, there = await jeton.log_in(app), await jeton.log_in(app)
    sid = next(it["sid"] for it in await listed(jeton, here) if not it["current"])

    response = await request(jeton, here, "DELETE", f"{PATH}/{sid}")

    assert (response.status_code, response.json()) == (200, {"sessions_ended": 1})
    assert [await is_live(jeton, app, it) for it in (here, there)] == [True, False]
    assert (await jeton.refresh(app, there["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.requirement("O04")
async def test_the_session_that_asks_may_end_itself(jeton: Running, app: App) -> None:
    here = await jeton.log_in(app)
    (session,) = await listed(jeton, here)

    assert (await request(jeton, here, "DELETE", f"{PATH}/{session['sid']}")).status_code == 200

    assert not await is_live(jeton, app, here)


@pytest.mark.requirement("O04")
async def test_another_user_s_session_is_as_unknown_as_one_that_never_was(jeton: Running, app: App) -> None:
    jeton.add_user("bob")
    alices, bobs = await jeton.log_in(app), await jeton.log_in(app, "bob")
    (session,) = await listed(jeton, bobs)

    answers = [await request(jeton, alices, "DELETE", f"{PATH}/{it}") for it in (session["sid"], *NOT_A_SID)]

    assert {(it.status_code, it.content) for it in answers} == {(404, answers[0].content)}
    assert answers[0].headers["cache-control"] == "no-store"
    assert await is_live(jeton, app, bobs)


async def test_a_session_that_has_ended_is_not_found_again(jeton: Running, app: App) -> None:
    here, _ = await jeton.log_in(app), await jeton.log_in(app)
    sid = next(it["sid"] for it in await listed(jeton, here) if not it["current"])

    statuses = [(await request(jeton, here, "DELETE", f"{PATH}/{sid}")).status_code for _ in range(2)]

    assert statuses == [200, 404]


@pytest.mark.requirement("O03", "O04")
@pytest.mark.parametrize(
    ("query", "ended", "stays"),
    [("", 3, False), ("?keep_current=false", 3, False), ("?keep_current=true", 2, True)],
    ids=["all", "all, said so", "all others"],
)
async def test_all_sessions_end_at_once_but_for_the_one_to_keep_and_nobody_else_s(
    jeton: Running, app: App, query: str, ended: int, stays: bool
) -> None:
    jeton.add_user("bob")
    bobs = await jeton.log_in(app, "bob")
    here, *others = [await jeton.log_in(app) for _ in range(3)]

    response = await request(jeton, here, "DELETE", PATH + query)

    assert (response.status_code, response.json()) == (200, {"sessions_ended": ended})
    assert await is_live(jeton, app, here) is stays
    assert [await is_live(jeton, app, it) for it in [*others, bobs]] == [False, False, True]


async def test_a_word_that_is_neither_true_nor_false_ends_nothing(jeton: Running, app: App) -> None:
    here = await jeton.log_in(app)

    response = await request(jeton, here, "DELETE", f"{PATH}?keep_current=1")

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert await is_live(jeton, app, here)
