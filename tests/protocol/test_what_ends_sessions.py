"""What ends sessions, and what does not: at once, on every node, with all tokens (RFC 9700 4.14.2, ASVS 7.4)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from support.cli_functions import (
    command,
    configured_for,
    delete_client,
    delete_user,
    disable_user,
    revoke_all_sessions,
    set_password,
)
from support.in_process_server import PASSWORD, App, Running, running, settings_for
from support.status_lists import is_listed

INACTIVE = {"active": False}
NEW = "a sentence nobody else has ever typed"


@dataclass(frozen=True)
class World:
    """Two servers on one database, an app, and two sessions of its user: one to act from, and one to look at."""

    node: Running
    other: Running
    app: App
    api: App
    here: dict[str, Any]
    there: dict[str, Any]

    def sid(self, tokens: dict[str, Any]) -> str:
        verified = self.node.keyring.verifier.verify(tokens["access_token"])
        assert verified is not None
        return str(verified.claims["sid"])

    async def ask(self, method: str, path: str, **form: str) -> None:
        """Self-service, from here."""
        headers = {"Authorization": f"Bearer {self.here['access_token']}"}
        response = await self.node.http.request(method, path, headers=headers, data=form or None)
        assert response.status_code == 200, response.text


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    settings = settings_for(database_url)
    async with running(settings) as node, running(settings) as other:
        app = node.add_client(scope=frozenset({"account"}))
        api = node.add_client("api", introspect=True)
        node.add_user()
        # What the other server remembers of clients is of before.
        other.maintenance.refresh()
        here, there = await node.log_in(app), await other.log_in(app)
        with configured_for(database_url):
            yield World(node, other, app, api, here, there)


async def is_over(world: World) -> bool:
    """Whether the session there is, by the server that had no part in ending it, and before its next look."""
    node, tokens = world.other, world.there
    account = await node.http.get("/account", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    seen = {
        await node.introspect(world.api, tokens["access_token"]) == INACTIVE,
        account.status_code == 401,
        (await node.refresh(world.app, tokens["refresh_token"])).status_code in {400, 401},
    }
    assert len(seen) == 1, "some say so and some do not"
    return seen.pop()


async def revoke(world: World, **chosen: str) -> None:
    arguments: dict[str, Any] = {"sid": None, "username": None, "client_id": None, "everything": False}
    await command("session", "revoke", **arguments | chosen)


async def replay(world: World) -> None:
    for _ in range(2):
        await world.node.refresh(world.app, world.there["refresh_token"])


async def move(world: World) -> None:
    world.node.set_client("web", session_binding="strict")
    form = {"grant_type": "refresh_token", "refresh_token": world.there["refresh_token"]}
    await world.node.token(world.app, {"User-Agent": "another"}, **form)


ENDS: dict[str, Callable[[World], Awaitable[Any]]] = {
    "the password is reset": lambda it: set_password("alice"),
    "the password is changed": lambda it: it.ask(
        "POST", "/account/password", current_password=PASSWORD, new_password=NEW
    ),
    "the password is changed, and only the session that asks is kept": lambda it: it.ask(
        "POST", "/account/password", current_password=PASSWORD, new_password=NEW, keep_current="true"
    ),
    "the user is disabled": lambda it: disable_user("alice"),
    "the user is deleted": lambda it: delete_user("alice"),
    "the client is deleted": lambda it: delete_client("web"),
    "the client is disabled": lambda it: command("client", "disable", client_id="web"),
    "the user ends it": lambda it: it.ask("DELETE", f"/account/sessions/{it.sid(it.there)}"),
    "the user ends all": lambda it: it.ask("DELETE", "/account/sessions"),
    "the user ends all others": lambda it: it.ask("DELETE", "/account/sessions?keep_current=true"),
    "the operator ends it": lambda it: revoke(it, sid=it.sid(it.there)),
    "the operator ends the user's": lambda it: revoke(it, username="alice"),
    "the operator ends the client's": lambda it: revoke(it, client_id="web"),
    "the operator ends all": lambda it: revoke_all_sessions(),
    "the app logs out": lambda it: it.node.revoke(it.app, it.there["refresh_token"]),
    "a refresh token is replayed": replay,
    "it is refreshed from elsewhere, and its client is strict": move,
}


@pytest.mark.requirement("C04", "C05", "I08", "I09", "O03", "O04")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_a_session_is_over_on_every_node_as_soon_as(world: World, end: Callable[[World], Awaitable[Any]]) -> None:
    await end(world)

    assert await is_over(world)


@pytest.mark.requirement("Q04")
@pytest.mark.parametrize("path", ["/account/sessions?keep_current=true", "/account/sessions/{sid}"])
async def test_what_users_end_themselves_is_in_the_status_lists_of_every_node(world: World, path: str) -> None:
    await world.ask("DELETE", path.format(sid=world.sid(world.there)))
    world.other.maintenance.refresh()

    assert await is_listed(world.other, world.there["access_token"])
    assert not await is_listed(world.other, world.here["access_token"])


GOES_ON: dict[str, Callable[[World], Awaitable[Any]]] = {
    "another session of the user ends": lambda it: it.node.revoke(it.app, it.here["refresh_token"]),
    "an access token of another session is revoked": lambda it: it.node.revoke(it.app, it.here["access_token"]),
    "somebody guesses at the password": lambda it: it.node.token(
        it.app, None, grant_type="password", username="alice", password="a wrong password, and long"
    ),
    "a forged refresh token of the session is presented": lambda it: it.node.refresh(
        it.app, it.there["refresh_token"][:-4] + "AAAA"
    ),
    "another client presents its refresh token": lambda it: it.node.refresh(it.api, it.there["refresh_token"]),
    "the client gets a new secret, the old one valid for a while": lambda it: command(
        "client", "rotate-secret", client_id="web", overlap_seconds=60
    ),
    "all sessions with another client end": lambda it: revoke(it, client_id="api"),
}


@pytest.mark.requirement("O04")
@pytest.mark.parametrize("happen", GOES_ON.values(), ids=GOES_ON.keys())
async def test_a_session_goes_on_though(world: World, happen: Callable[[World], Awaitable[Any]]) -> None:
    await happen(world)

    assert not await is_over(world)


async def test_the_sessions_of_a_disabled_client_go_on_when_it_is_enabled(world: World) -> None:
    await command("client", "disable", client_id="web")
    await command("client", "enable", client_id="web")

    assert not await is_over(world)


@pytest.mark.requirement("O03")
async def test_a_user_who_is_enabled_again_finds_no_session_left(world: World) -> None:
    await disable_user("alice")
    await command("user", "enable", username="alice")

    assert await is_over(world)


@pytest.mark.requirement("O04")
async def test_the_session_that_is_kept_goes_on_where_the_others_end(world: World) -> None:
    await world.ask("POST", "/account/password", current_password=PASSWORD, new_password=NEW, keep_current="true")

    assert await world.other.refreshed(world.app, world.here["refresh_token"])
