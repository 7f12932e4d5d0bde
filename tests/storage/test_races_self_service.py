"""Races between what users do to their own account and their sessions elsewhere (ASVS 7.4.3): nothing slips through."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import httpx2
import pytest

from jeton.crypto.refresh_token import parse_refresh_token
from jeton.storage.families import count_live_families
from support.in_process_server import PASSWORD, App, Running, running, settings_for
from support.lock_contention import Contention, OnPostgresql, until

Nodes = tuple[Running, Running]
NEW = "a sentence nobody else has ever typed"


def _bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def _change_password(node: Running, tokens: dict[str, Any]) -> Awaitable[httpx2.Response]:
    form = {"current_password": PASSWORD, "new_password": NEW}
    return node.http.post("/account/password", data=form, headers=_bearer(tokens))


def _live_sessions(node: Running, sub: str) -> int:
    with node.database.read() as connection:
        return count_live_families(connection, node.clock.now(), sub)


@pytest.mark.requirement("O03", "O04", "I09", "O16")
async def test_no_login_by_the_old_password_survives_a_change_on_another_node(
    nodes: Nodes, contention: Contention
) -> None:
    app, logins = nodes[0].add_client(scope=frozenset({"account"})), Counter[int]()
    for number in range(10):
        user = nodes[0].add_user(f"user{number}")
        tokens = await nodes[0].log_in(app, user.username)
        login = nodes[1].token(app, grant_type="password", username=user.username, password=PASSWORD)
        runners = [login, _change_password(nodes[0], tokens)]

        answers = await contention.race("user", user.sub, *(runners if number % 2 else runners[::-1]))

        login_answer, change = answers if number % 2 else answers[::-1]
        assert change.json() == {"sessions_ended": 2 if login_answer.status_code == 200 else 1}
        assert _live_sessions(nodes[0], user.sub) == 0
        logins[login_answer.status_code] += 1
    assert logins.keys() <= {200, 400}


@pytest.mark.requirement("O03", "O04", "I09", "O16")
async def test_a_refresh_under_way_on_another_node_does_not_outlive_the_end_of_all_sessions(
    nodes: Nodes, contention: Contention
) -> None:
    app = nodes[0].add_client(scope=frozenset({"account"}))
    for number in range(10):
        user = nodes[0].add_user(f"user{number}")
        here, there = await nodes[0].log_in(app, user.username), await nodes[0].log_in(app, user.username)
        runners = [
            nodes[1].refresh(app, there["refresh_token"]),
            nodes[0].http.delete("/account/sessions", headers=_bearer(here)),
        ]

        answers = await contention.race("family", _sid_of(there), *(runners if number % 2 else runners[::-1]))

        refresh, end = answers if number % 2 else answers[::-1]
        assert end.json() == {"sessions_ended": 2}
        assert refresh.status_code in {200, 400}
        assert _live_sessions(nodes[0], user.sub) == 0


@pytest.mark.postgresql
@pytest.mark.requirement("O16")
@pytest.mark.usefixtures("patience")
async def test_a_change_of_password_and_a_group_of_refreshes_wait_for_each_other_in_one_order(
    postgresql_url: str,
) -> None:
    third = OnPostgresql(postgresql_url)
    settings = settings_for(postgresql_url)
    async with running(settings) as one, running(settings) as two:
        app = one.add_client(scope=frozenset({"account"}))
        one.add_user()
        sessions = await _sessions_not_in_the_order_of_their_sids(one, app)
        async with third.holding("family", min(map(_sid_of, sessions))):
            refreshes = [asyncio.ensure_future(one.refresh(app, it["refresh_token"])) for it in sessions]
            await until(lambda: third.waiting() == 1, "the refreshes waiting for their first family")
            changing = asyncio.ensure_future(_change_password(two, sessions[0]))
            await until(lambda: third.waiting() == 2, "the change waiting")
        assert {it.status_code for it in await asyncio.gather(*refreshes)} <= {200, 400}
        assert (await changing).json() == {"sessions_ended": len(sessions)}
    assert await third.deadlocks() == 0
    third.close()


async def _sessions_not_in_the_order_of_their_sids(node: Running, app: App) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = []
    while len(sessions) < 8 or min(sessions, key=_sid_of) is sessions[0]:
        sessions.append(await node.log_in(app))
    return sessions


def _sid_of(tokens: dict[str, Any]) -> str:
    presented = parse_refresh_token(tokens["refresh_token"])
    assert presented is not None
    return presented.sid
