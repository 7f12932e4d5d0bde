"""jeton session: list and end sessions."""

from dataclasses import dataclass
from typing import Any

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import START, App, Running

EVERYBODY = {("alice", "web"), ("alice", "tv"), ("bob", "web"), ("bob", "tv")}


@dataclass(frozen=True)
class Logins:
    """Two users, each logged in with two clients."""

    jeton: Running
    apps: dict[str, App]
    tokens: dict[tuple[str, str], dict[str, Any]]

    async def live(self) -> set[tuple[str, str]]:
        """Return the (user, client) pairs whose access token is active."""
        active = set()
        for (user, app), tokens in self.tokens.items():
            if (await self.jeton.introspect(self.apps[app], tokens["access_token"]))["active"]:
                active.add((user, app))
        return active


@pytest.fixture
async def logins(jeton: Running) -> Logins:
    apps = {name: jeton.add_client(name) for name in ("web", "tv")}
    tokens = {}
    for user in ("alice", "bob"):
        jeton.add_user(user)
        for name, app in apps.items():
            jeton.clock.advance(1)
            tokens[user, name] = await jeton.log_in(app, user)
    return Logins(jeton, apps, tokens)


async def test_list_contains_addresses_and_user_agents(cli: CommandLine, jeton: Running) -> None:
    app, user = jeton.add_client(lifetimes={"refresh_idle_seconds": 500}), jeton.add_user()
    first = await jeton.log_in(app)
    jeton.clock.advance(100)
    tokens = await jeton.refreshed(app, first["refresh_token"])

    (listed,) = cli.json("session", "list")

    assert listed == {
        "sid": (await jeton.introspect(app, tokens["access_token"]))["sid"],
        "username": "alice",
        "sub": user.sub,
        "client_id": "web",
        "scope": "read write",
        "created_at": START,
        "last_used_at": START + 100,
        "expires_at": START + 600,
        "refreshes": 1,
        "created_ip": "127.0.0.1",
        "created_user_agent": jeton.http.headers["user-agent"],
        "last_ip": "127.0.0.1",
        "last_user_agent": jeton.http.headers["user-agent"],
        "moves": 0,
    }


async def test_list_selects_sessions_the_last_used_first_without_tokens(cli: CommandLine, logins: Logins) -> None:
    expected = {
        "": [("bob", "tv"), ("bob", "web"), ("alice", "tv"), ("alice", "web")],
        "--user ALICE": [("alice", "tv"), ("alice", "web")],
        "--client web": [("bob", "web"), ("alice", "web")],
        "--user bob --client tv": [("bob", "tv")],
    }
    for options, pairs in expected.items():
        listed = cli.json("session", "list", *options.split())
        assert [(it["username"], it["client_id"]) for it in listed] == pairs

    header, *lines = (table := cli.text("session", "list", "--user", "alice")).splitlines()
    assert header.split() == ["sid", "username", "client_id", "created_at", "last_used_at", "expires_at", "last_ip"]
    assert [line.split()[1:3] for line in lines] == [["alice", "tv"], ["alice", "web"]]
    issued = [tokens[kind] for tokens in logins.tokens.values() for kind in ("access_token", "refresh_token")]
    assert [it for it in [*issued, "jrt_", "secret"] if it in cli.text("session", "list", "--json") + table] == []


async def test_revoked_and_expired_sessions_are_not_listed(cli: CommandLine, jeton: Running) -> None:
    jeton.add_user()
    await jeton.log_in(jeton.add_client("brief", lifetimes={"refresh_idle_seconds": 10}))
    app = jeton.add_client()
    ended, lasting = await jeton.log_in(app), await jeton.log_in(app)
    await jeton.revoke(app, ended["refresh_token"])
    jeton.clock.advance(10)

    sid = (await jeton.introspect(app, lasting["access_token"]))["sid"]
    assert [it["sid"] for it in cli.json("session", "list")] == [sid]


@pytest.mark.requirement("O04")
@pytest.mark.parametrize(
    ("selection", "ended"),
    [
        ("--user Alice", {("alice", "web"), ("alice", "tv")}),
        ("--client tv", {("alice", "tv"), ("bob", "tv")}),
        ("--all", EVERYBODY),
        ("SID", {("bob", "web")}),
    ],
)
async def test_revoke_ends_only_the_selected_sessions_once(
    cli: CommandLine, logins: Logins, selection: str, ended: set[tuple[str, str]]
) -> None:
    seen = await logins.jeton.introspect(logins.apps["web"], logins.tokens["bob", "web"]["access_token"])
    words = ("session", "revoke", *selection.replace("SID", seen["sid"]).split())

    assert cli.json(*words) == {"sessions_ended": len(ended)}
    assert cli.text(*words).split() == ["sessions_ended", "0"]

    assert await logins.live() == EVERYBODY - ended
    for user, app in ended:
        response = await logins.jeton.refresh(logins.apps[app], logins.tokens[user, app]["refresh_token"])
        assert response.json()["error"] == "invalid_grant"


async def test_selection_that_is_unknown_or_not_one_ends_nothing(cli: CommandLine, logins: Logins) -> None:
    for words in ("", "some-sid --all", "--user alice --all", "--user alice --client web", "some-sid --user alice"):
        said = cli.misused("session", "revoke", *words.split())
        assert "exactly one of SID, --user, --client and --all" in said
    for option, value in (("--user", "carol"), ("--user", ""), ("--client", "radio"), ("--client", "")):
        for command in ("list", "revoke"):
            assert f"`jeton {option[2:]} list`" in cli.refused("session", command, option, value)

    assert await logins.live() == EVERYBODY
