"""jeton session: list and end sessions."""

from dataclasses import dataclass
from typing import Any

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import START, App, Running


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


EVERYBODY = {("alice", "web"), ("alice", "tv"), ("bob", "web"), ("bob", "tv")}


# list


async def test_list_contains_addresses_and_user_agents(cli: CommandLine, jeton: Running) -> None:
    app, user = jeton.add_client(lifetimes={"refresh_idle_seconds": 500}), jeton.add_user()
    first = await jeton.log_in(app)
    jeton.clock.advance(100)
    tokens = await jeton.refreshed(app, first["refresh_token"])

    (listed,) = cli.json("session", "list")

    assert listed.pop("sid") == (await jeton.introspect(app, tokens["access_token"]))["sid"]
    assert listed == {
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


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), [("bob", "tv"), ("bob", "web"), ("alice", "tv"), ("alice", "web")]),
        (("--user", "ALICE"), [("alice", "tv"), ("alice", "web")]),
        (("--client", "web"), [("bob", "web"), ("alice", "web")]),
        (("--user", "bob", "--client", "tv"), [("bob", "tv")]),
    ],
    ids=["all", "of a user", "with a client", "of a user with a client"],
)
async def test_last_used_session_is_listed_first(
    cli: CommandLine, logins: Logins, options: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    listed = cli.json("session", "list", *options)

    assert [(it["username"], it["client_id"]) for it in listed] == expected


async def test_list_without_json_is_a_table(cli: CommandLine, logins: Logins) -> None:
    header, *lines = cli.text("session", "list", "--user", "alice").splitlines()

    assert header.split() == ["sid", "username", "client_id", "created_at", "last_used_at", "expires_at", "last_ip"]
    assert [line.split()[1:3] for line in lines] == [["alice", "tv"], ["alice", "web"]]


async def test_list_contains_no_tokens(cli: CommandLine, logins: Logins) -> None:
    printed = cli.text("session", "list", "--json") + cli.text("session", "list")

    assert "jrt_" not in printed
    issued = [tokens[kind] for tokens in logins.tokens.values() for kind in ("access_token", "refresh_token")]
    assert [token for token in issued if token in printed] == []
    assert "secret" not in printed


async def test_revoked_and_expired_sessions_are_not_listed(cli: CommandLine, jeton: Running) -> None:
    jeton.add_user()
    brief = jeton.add_client("brief", lifetimes={"refresh_idle_seconds": 10})
    await jeton.log_in(brief)
    app = jeton.add_client()
    ended, lasting = await jeton.log_in(app), await jeton.log_in(app)
    await jeton.revoke(app, ended["refresh_token"])
    jeton.clock.advance(10)

    sid = (await jeton.introspect(app, lasting["access_token"]))["sid"]
    assert [it["sid"] for it in cli.json("session", "list")] == [sid]


# revoke


@pytest.mark.requirement("O04")
@pytest.mark.parametrize(
    ("options", "ended"),
    [
        (("--user", "Alice"), {("alice", "web"), ("alice", "tv")}),
        (("--client", "tv"), {("alice", "tv"), ("bob", "tv")}),
        (("--all",), EVERYBODY),
    ],
    ids=["of a user", "with a client", "all"],
)
async def test_revoke_ends_only_the_selected_sessions(
    cli: CommandLine, logins: Logins, options: tuple[str, ...], ended: set[tuple[str, str]]
) -> None:
    assert cli.json("session", "revoke", *options) == {"sessions_ended": len(ended)}

    assert await logins.live() == EVERYBODY - ended
    for user, app in ended:
        response = await logins.jeton.refresh(logins.apps[app], logins.tokens[user, app]["refresh_token"])
        assert response.json()["error"] == "invalid_grant"


@pytest.mark.requirement("O04")
async def test_revoke_by_sid_ends_only_that_session(cli: CommandLine, logins: Logins) -> None:
    token = logins.tokens["bob", "web"]["access_token"]
    sid = (await logins.jeton.introspect(logins.apps["web"], token))["sid"]

    assert cli.text("session", "revoke", sid).split() == ["sessions_ended", "1"]

    assert await logins.live() == EVERYBODY - {("bob", "web")}


async def test_repeated_revoke_ends_nothing_and_succeeds(cli: CommandLine, logins: Logins) -> None:
    cli.text("session", "revoke", "--all")

    assert cli.json("session", "revoke", "--all") == {"sessions_ended": 0}


@pytest.mark.parametrize(
    "words",
    [(), ("some-sid", "--all"), ("--user", "alice", "--all"), ("--user", "alice", "--client", "web"),
     ("some-sid", "--user", "alice")],
    ids=lambda words: " ".join(words) or "nothing",
)  # fmt: skip
async def test_revoke_needs_exactly_one_selection(cli: CommandLine, logins: Logins, words: tuple[str, ...]) -> None:
    assert "exactly one of SID, --user, --client and --all" in cli.misused("session", "revoke", *words)
    assert await logins.live() == EVERYBODY


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("no-such-session",), "jeton session list"),
        (("",), "jeton session list"),
        (("--user", "carol"), "jeton user list"),
        (("--user", ""), "jeton user list"),
        (("--client", "radio"), "jeton client list"),
        (("--client", ""), "jeton client list"),
    ],
    ids=["unknown session", "empty session", "unknown user", "empty user", "unknown client", "empty client"],
)
async def test_revoke_with_unknown_selection_is_refused_and_ends_nothing(
    cli: CommandLine, logins: Logins, words: tuple[str, ...], where: str
) -> None:
    result = cli.run("session", "revoke", *words)

    assert await logins.live() == EVERYBODY
    assert (result.exit_code, where in str(result.exception)) == (1, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--user", "carol"), ("--user", ""), ("--client", "radio"), ("--client", "")]
)
async def test_list_with_unknown_user_or_client_is_refused(
    cli: CommandLine, logins: Logins, option: str, value: str
) -> None:
    where = "jeton user list" if option == "--user" else "jeton client list"

    assert where in cli.refused("session", "list", option, value)
