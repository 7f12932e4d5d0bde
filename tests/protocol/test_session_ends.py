"""What ends sessions, and what does not: at once, on every node, with all tokens (RFC 9700 4.14.2, ASVS 7.4).

Each row is tried on a new client and user of two servers on one database. `here` and `there` are two sessions of the
user: self-service requests come from `here`, and the row ends `there`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt
import pytest

from support.cli_functions import command, delete_client, delete_user, disable_user, set_password
from support.in_process_server import PASSWORD, App, Running
from support.status_lists import is_listed

INACTIVE = {"active": False}
NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "a sentence nobody else has ever typed"}
UNCHOSEN: dict[str, Any] = {"sid": None, "username": None, "client_id": None, "everything": False}


@dataclass(frozen=True)
class Sessions:
    """Two sessions of one user with one client, and two servers."""

    node: Running
    other: Running
    app: App
    api: App
    username: str
    here: dict[str, Any]
    there: dict[str, Any]

    @property
    def sid(self) -> str:
        """The id of the session there."""
        return str(jwt.decode(self.there["access_token"], options={"verify_signature": False})["sid"])

    async def ask(self, method: str, path: str, **form: str) -> None:
        """Send a self-service request from here."""
        headers = {"Authorization": f"Bearer {self.here['access_token']}"}
        response = await self.node.http.request(method, path, headers=headers, data=form or None)
        assert response.status_code == 200, response.text


@pytest.fixture
async def sessions(nodes: tuple[Running, Running]) -> Sessions:
    node, other = nodes
    app = node.add_client(uuid4().hex, scope=frozenset({"account"}))
    api = node.add_client(uuid4().hex, introspect=True)
    username = node.add_user(uuid4().hex).username
    # What the other server remembers of clients is older than what is about to happen.
    other.shared_state.refresh()
    here, there = await node.log_in(app, username), await other.log_in(app, username)
    return Sessions(node, other, app, api, username, here, there)


async def is_over(sessions: Sessions) -> bool:
    """Return whether the session there is over, for the server that did not end it, before its next refresh."""
    node, tokens = sessions.other, sessions.there
    account = await node.http.get("/account", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    seen = {
        await node.introspect(sessions.api, tokens["access_token"]) == INACTIVE,
        account.status_code == 401,
        (await node.refresh(sessions.app, tokens["refresh_token"])).status_code in {400, 401},
    }
    assert len(seen) == 1, "some say so and some do not"
    return seen.pop()


async def revoke_sessions(**chosen: Any) -> None:
    await command("session", "revoke", **UNCHOSEN | chosen)


async def replay(it: Sessions) -> None:
    for _ in range(2):
        await it.node.refresh(it.app, it.there["refresh_token"])


async def move(it: Sessions) -> None:
    it.node.set_client(it.app.client_id, session_binding="strict")
    form = {"grant_type": "refresh_token", "refresh_token": it.there["refresh_token"]}
    await it.node.token(it.app, {"User-Agent": "another"}, **form)


async def disable_and_enable(it: Sessions) -> None:
    await disable_user(it.username)
    await command("user", "enable", username=it.username)
    assert await it.other.log_in(it.app, it.username)


Happening = Callable[[Sessions], Awaitable[Any]]
ENDS: dict[str, Happening] = {
    "password reset": lambda it: set_password(it.username),
    "password changed": lambda it: it.ask("POST", "/account/password", **NEW_PASSWORD),
    "password changed, current session kept": lambda it: it.ask(
        "POST", "/account/password", **NEW_PASSWORD, keep_current="true"
    ),
    "user disabled": lambda it: disable_user(it.username),
    "user disabled and enabled again": disable_and_enable,
    "user deleted": lambda it: delete_user(it.username),
    "client deleted": lambda it: delete_client(it.app.client_id),
    "client disabled": lambda it: command("client", "disable", client_id=it.app.client_id),
    "ended by the user": lambda it: it.ask("DELETE", f"/account/sessions/{it.sid}"),
    "all ended by the user": lambda it: it.ask("DELETE", "/account/sessions"),
    "all others ended by the user": lambda it: it.ask("DELETE", "/account/sessions?keep_current=true"),
    "ended by the operator": lambda it: revoke_sessions(sid=it.sid),
    "user's sessions ended by the operator": lambda it: revoke_sessions(username=it.username),
    "client's sessions ended by the operator": lambda it: revoke_sessions(client_id=it.app.client_id),
    "all sessions ended by the operator": lambda _: revoke_sessions(everything=True),
    "refresh token revoked": lambda it: it.node.revoke(it.app, it.there["refresh_token"]),
    "refresh token replayed": replay,
    "refreshed from elsewhere, with a strict client": move,
}


@pytest.mark.requirement("A38", "C04", "C05", "I08", "I09", "O03", "O04", "Q04", "Q05")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_session_is_over_on_every_node_at_once_and_its_tokens_are_listed(
    sessions: Sessions, end: Happening
) -> None:
    stranger = sessions.node.add_user(uuid4().hex).username
    alive = await sessions.other.log_in(sessions.api, stranger)
    assert not await is_listed(sessions.other, sessions.there["access_token"])

    await end(sessions)

    assert await is_over(sessions)
    sessions.other.shared_state.refresh()
    assert await is_listed(sessions.other, sessions.there["access_token"])
    assert await is_listed(sessions.other, alive["access_token"]) is (end is ENDS["all sessions ended by the operator"])


GOES_ON: dict[str, Happening] = {
    "another session revoked": lambda it: it.node.revoke(it.app, it.here["refresh_token"]),
    "access token of another session revoked": lambda it: it.node.revoke(it.app, it.here["access_token"]),
    "client's secret replaced, with an overlap": lambda it: command(
        "client", "rotate-secret", client_id=it.app.client_id, overlap_seconds=60
    ),
    "another client's sessions ended": lambda it: revoke_sessions(client_id=it.api.client_id),
}


@pytest.mark.requirement("O04")
@pytest.mark.parametrize("happen", GOES_ON.values(), ids=GOES_ON.keys())
async def test_session_goes_on(sessions: Sessions, happen: Happening) -> None:
    await happen(sessions)

    assert not await is_over(sessions)
    sessions.other.shared_state.refresh()
    assert not await is_listed(sessions.other, sessions.there["access_token"])


@pytest.mark.requirement("O04", "Q04")
@pytest.mark.parametrize(
    "end",
    [
        lambda it: it.ask("POST", "/account/password", **NEW_PASSWORD, keep_current="true"),
        lambda it: it.ask("DELETE", "/account/sessions?keep_current=true"),
    ],
    ids=["password changed", "all others ended"],
)
async def test_current_session_that_is_kept_goes_on(sessions: Sessions, end: Happening) -> None:
    await end(sessions)

    sessions.other.shared_state.refresh()
    assert not await is_listed(sessions.other, sessions.here["access_token"])
    assert await sessions.other.refreshed(sessions.app, sessions.here["refresh_token"])


@pytest.mark.requirement("Q04")
async def test_sessions_of_a_disabled_client_go_on_when_it_is_enabled_except_those_that_ended(
    sessions: Sessions,
) -> None:
    node, app, here, there = sessions.node, sessions.app, sessions.here, sessions.there
    own = (await node.token(app, grant_type="client_credentials")).json()
    tokens = [it["access_token"] for it in (own, here, there)]

    await command("client", "disable", client_id=app.client_id)
    node.shared_state.refresh()
    assert [await is_listed(node, it) for it in tokens] == [True, True, True]
    await revoke_sessions(sid=sessions.sid)
    await command("client", "enable", client_id=app.client_id)
    node.shared_state.refresh()

    assert [await is_listed(node, it) for it in tokens] == [False, False, True]
    assert await sessions.other.refreshed(app, here["refresh_token"])
    assert await is_over(sessions)


@pytest.mark.requirement("Q04")
async def test_own_tokens_of_a_deleted_client_are_listed(sessions: Sessions) -> None:
    node, app, api = sessions.node, sessions.app, sessions.api
    own, others = [(await node.token(it, grant_type="client_credentials")).json()["access_token"] for it in (app, api)]

    await delete_client(app.client_id)
    node.shared_state.refresh()

    assert [await is_listed(node, it) for it in (own, others)] == [True, False]
