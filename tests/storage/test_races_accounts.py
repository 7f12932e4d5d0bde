"""Races between sessions and the operator (RFC 9700 section 4.14.2, ASVS 7.4.2 and 7.4.3): the operator wins."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from jeton.storage.families import count_live_families
from support.cli_functions import command, configured_for, disable_user, set_password
from support.in_process_server import Running
from support.lock_contention import Contention

Nodes = tuple[Running, Running]
Command = Callable[[str], Awaitable[None]]

ENDING_A_USERS_SESSIONS = pytest.mark.parametrize(
    "operate", [set_password, disable_user], ids=["password changed", "user disabled"]
)


@pytest.fixture(autouse=True)
def _commands_act_on_this_database(database_url: str) -> Any:
    with configured_for(database_url):
        yield


def live_sessions(node: Running, sub: str) -> int:
    with node.database.read() as connection:
        return count_live_families(connection, node.clock.now(), sub)


@ENDING_A_USERS_SESSIONS
@pytest.mark.requirement("O03", "O04", "I09", "O16")
async def test_no_login_by_the_old_password_survives(nodes: Nodes, contention: Contention, operate: Command) -> None:
    app, logins = nodes[0].add_client(), Counter[int]()
    for number in range(30):
        user = nodes[0].add_user(f"user{number}")
        login = nodes[number % 2].token(
            app, grant_type="password", username=user.username, password="correct horse battery staple"
        )
        runners: list[Awaitable[httpx2.Response | None]] = [login, operate(user.username)]

        results = await contention.race("user", user.sub, *(runners if number % 2 else runners[::-1]))

        response = next(it for it in results if it is not None)
        logins[response.status_code] += 1
        assert live_sessions(nodes[0], user.sub) == 0
        if response.status_code == 200:
            after = await nodes[1].refresh(app, response.json()["refresh_token"])
            assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
    assert logins.keys() <= {200, 400}


@ENDING_A_USERS_SESSIONS
@pytest.mark.requirement("O03", "O04", "I09", "O16")
async def test_a_refresh_under_way_does_not_outlive_the_change(
    nodes: Nodes, contention: Contention, operate: Command
) -> None:
    app, refreshes = nodes[0].add_client(), Counter[int]()
    for number in range(30):
        user = nodes[0].add_user(f"user{number}")
        first = await nodes[0].log_in(app, user.username)
        sid = claims(nodes[0], first["access_token"])["sid"]
        refresh = nodes[number % 2].refresh(app, first["refresh_token"])
        runners: list[Awaitable[httpx2.Response | None]] = [refresh, operate(user.username)]

        results = await contention.race("family", sid, *(runners if number % 2 else runners[::-1]))

        response = next(it for it in results if it is not None)
        refreshes[response.status_code] += 1
        newest = response.json().get("refresh_token", first["refresh_token"])
        after = await nodes[1].refresh(app, newest)
        assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
        assert live_sessions(nodes[0], user.sub) == 0
        if response.status_code == 200:
            assert await nodes[1].introspect(app, response.json()["access_token"]) == {"active": False}
    assert refreshes.keys() <= {200, 400}


@pytest.mark.requirement("O03", "O04")
async def test_ending_all_sessions_spares_none_that_is_being_refreshed(nodes: Nodes, contention: Contention) -> None:
    app = nodes[0].add_client()
    user = nodes[0].add_user()
    for _ in range(10):
        sessions = [await nodes[0].log_in(app) for _ in range(8)]
        sid = claims(nodes[0], sessions[3]["access_token"])["sid"]
        runners: list[Awaitable[httpx2.Response | None]] = [
            nodes[number % 2].refresh(app, session["refresh_token"]) for number, session in enumerate(sessions)
        ]
        end_all = command("session", "revoke", sid=None, username=None, client_id=None, everything=True)

        results = await contention.race("family", sid, *runners, end_all)

        assert {it.status_code for it in results if it is not None} <= {200, 400}
        assert live_sessions(nodes[0], user.sub) == 0


def claims(node: Running, access_token: str) -> dict[str, Any]:
    verified = node.keyring.verifier.verify(access_token)
    assert verified is not None
    return verified.claims
