"""Logins and refreshes while an operator or the user ends sessions (ASVS 7.4.2, 7.4.3): no session survives."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from jeton.oauth.users import User
from support.cli_functions import configured_for, disable_user, revoke_all_sessions, set_password
from support.in_process_server import PASSWORD, Running
from support.lock_contention import Contention, Nodes, race_in_round
from support.stored_sessions import count_open_sessions, sid_of

pytestmark = pytest.mark.requirement("O03", "O04", "I09", "O16")

ROUNDS = 10
# Ends the sessions of a user, whose tokens are those of one of them.
End = Callable[[Running, User, dict[str, Any]], Awaitable[httpx2.Response | None]]


@pytest.fixture(autouse=True)
def _commands_act_on_this_database(database_url: str) -> Iterator[None]:
    with configured_for(database_url):
        yield


def end_sessions(node: Running, _: User, tokens: dict[str, Any]) -> Awaitable[httpx2.Response]:
    return node.http.delete("/account/sessions", headers={"Authorization": f"Bearer {tokens['access_token']}"})


CHANGED = pytest.param(
    lambda node, _, tokens: node.change_password(tokens["access_token"], PASSWORD[::-1]), id="password changed"
)
BY_AN_OPERATOR = (
    pytest.param(lambda _node, user, _tokens: set_password(user.username), id="password set"),
    pytest.param(lambda _node, user, _tokens: disable_user(user.username), id="user disabled"),
)


@pytest.mark.parametrize("end", [*BY_AN_OPERATOR, CHANGED])
async def test_no_login_by_the_old_password_survives(nodes: Nodes, contention: Contention, end: End) -> None:
    app = nodes[0].add_client(scope=frozenset({"account"}))
    for number in range(ROUNDS):
        user = nodes[0].add_user(f"user{number}")
        tokens = await nodes[0].log_in(app, user.username)
        logging_in = nodes[1].token(app, grant_type="password", username=user.username, password=PASSWORD)

        login, ended = await race_in_round(
            number, contention, "user", user.sub, logging_in, end(nodes[0], user, tokens)
        )

        assert login is not None
        assert login.status_code in (200, 400)
        assert count_open_sessions(nodes[0], user.sub) == 0
        assert ended is None or ended.json() == {"sessions_ended": 2 if login.status_code == 200 else 1}
        if login.status_code == 200:
            after = await nodes[1].refresh(app, login.json()["refresh_token"])
            assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "end",
    [
        *BY_AN_OPERATOR,
        pytest.param(lambda *_: revoke_all_sessions(), id="all sessions ended"),
        pytest.param(end_sessions, id="sessions ended by the user"),
    ],
)
async def test_no_session_that_is_being_refreshed_survives(nodes: Nodes, contention: Contention, end: End) -> None:
    app = nodes[0].add_client(scope=frozenset({"account"}))
    for number in range(ROUNDS):
        user = nodes[0].add_user(f"user{number}")
        here, there = await nodes[0].log_in(app, user.username), await nodes[0].log_in(app, user.username)
        token = there["refresh_token"]

        refresh, ended = await race_in_round(
            number, contention, "family", sid_of(token), nodes[1].refresh(app, token), end(nodes[0], user, here)
        )

        assert refresh is not None
        assert refresh.status_code in (200, 400)
        assert ended is None or ended.json() == {"sessions_ended": 2}
        assert count_open_sessions(nodes[0], user.sub) == 0
        after = await nodes[1].refresh(app, refresh.json().get("refresh_token", token))
        assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
        newest = refresh.json().get("access_token", there["access_token"])
        assert await nodes[1].introspect(app, newest) == {"active": False}
