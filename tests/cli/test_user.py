"""jeton user: registration and changes of users, and effects on their sessions."""

import re
from typing import Any

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, START, App, Running

MEMBERS = {"username", "sub", "email", "roles", "disabled", "created_at"}
OTHER_PASSWORD = "another correct battery"


def add(cli: CommandLine, username: str = "alice", *options: str) -> str:
    """Add a user with the default password. Return the `sub`."""
    return str(cli.json("user", "add", username, "--password-stdin", *options, stdin=PASSWORD)["sub"])


async def can_log_in(jeton: Running, app: App, password: str = PASSWORD) -> bool:
    response = await jeton.token(app, grant_type="password", username="alice", password=password)
    if response.status_code != 200:
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    return response.status_code == 200


# add, show, list


async def test_add_prints_user_and_generated_password_once(cli: CommandLine, jeton: Running) -> None:
    options = ("--email", "alice@example.com", "--role", "admin", "--role", "clerk", "--generate-password")

    added = cli.json("user", "add", "Alice", *options)

    assert added.keys() == MEMBERS | {"password"}
    password = added.pop("password")
    assert len(password) >= 20
    assert re.fullmatch(r"u_[0-9a-f]{32}", added["sub"])
    assert cli.json("user", "show", "alice") == added | {"email_verified": False, "claims": {}, "sessions": 0}
    assert (added["username"], added["email"], added["roles"]) == ("Alice", "alice@example.com", ["admin", "clerk"])
    assert (added["disabled"], added["created_at"]) == (False, START)
    assert await can_log_in(jeton, jeton.add_client(), password)
    assert cli.json("user", "add", "bob", "--generate-password")["password"] != password


def test_result_without_json_is_text_without_the_given_password(cli: CommandLine) -> None:
    given = cli.text("user", "add", "alice", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    generated = cli.text("user", "add", "bob", "--generate-password").splitlines()
    header, line, _ = cli.text("user", "list").splitlines()

    assert "password" not in given
    assert PASSWORD not in given
    names = [line.split()[0] for line in generated]
    assert names == ["username", "sub", "email", "roles", "disabled", "created_at", "password"]
    assert (generated[0].split()[1], generated[5].split(maxsplit=1)[1]) == ("bob", "2027-01-15 08:00:00Z")
    assert header.split() == names[:-1]
    assert [line.split()[n] for n in (0, 2, 3, 4)] == ["alice", "-", "admin", "no"]


@pytest.mark.requirement("N16")
def test_users_are_listed_by_name_without_secrets(cli: CommandLine) -> None:
    assert cli.json("user", "list") == []
    for name in ("carol", "Alice", "bob"):
        add(cli, name)

    listed = cli.json("user", "list")

    assert [user["username"] for user in listed] == ["Alice", "bob", "carol"]
    assert all(user.keys() == MEMBERS for user in listed)


async def test_show_user_contains_number_of_live_sessions(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client(lifetimes={"refresh_idle_seconds": 100})
    jeton.add_user()
    await jeton.log_in(app)
    jeton.clock.advance(50)
    await jeton.log_in(app)
    assert cli.json("user", "show", "alice")["sessions"] == 2

    jeton.clock.advance(50)

    assert re.search(r"^sessions +1$", cli.text("user", "show", "alice"), re.MULTILINE)


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("username", "email", "reason"),
    [
        *(("carol" if "@" in it else it, it if "@" in it else None, "or give it a new password with")
          for it in ("alice", "ALICE", "\uff21lice", "ALICE@example.com")),
        ("alice@example.com", "alice@example.com", "already"),
        ("alice", "bob@example.com", "already"),
        ("dave@example.com", None, "user's e-mail"),
        *((it, None, "RFC 8265") for it in ("", " ", "two words", "a\tb", "a\u200bb", "x" * 256, "\u06dd")),
    ],
    ids=ascii,
)  # fmt: skip
def test_name_or_address_that_is_used_or_invalid_is_refused(
    cli: CommandLine, username: str, email: str | None, reason: str
) -> None:
    add(cli, "alice", "--email", "alice@example.com")
    options = () if email is None else ("--email", email)

    assert reason in cli.refused("user", "add", username, *options, "--generate-password")
    assert len(cli.json("user", "list")) == 1


def test_invalid_role_and_unknown_user_are_refused(cli: CommandLine) -> None:
    add(cli)

    assert "role" in cli.refused("user", "add", "bob", "--role", "two words", "--generate-password")
    for command in ("show", "disable", "enable", "delete", "set-password --generate-password"):
        for name in ("nobody", "", "no name"):
            assert "jeton user list" in cli.refused("user", *command.split(), name)
    (alice,) = cli.json("user", "list")
    assert alice["disabled"] is False


@pytest.mark.requirement("N13")
def test_commands_find_user_by_email(cli: CommandLine) -> None:
    sub = add(cli, "alice", "--email", "alice@example.com")

    assert cli.json("user", "show", "Alice@Example.com")["sub"] == sub
    assert cli.json("session", "list", "--user", "alice@example.com") == []
    assert cli.json("user", "delete", "alice@example.com")["deleted"] is True


@pytest.mark.parametrize("options", [(), ("--password-stdin", "--generate-password")], ids=["neither", "both"])
def test_exactly_one_password_source_is_needed(cli: CommandLine, options: tuple[str, ...]) -> None:
    for command in ("add", "set-password"):
        said = cli.misused("user", command, "alice", *options)
        assert "--password-stdin" in said
        assert "--generate-password" in said


# set-password, disable, enable, delete


@pytest.mark.requirement("I09", "O03", "O04")
@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("set-password ALICE --password-stdin", {"username": "alice", "sub": "SUB", "sessions_ended": 2}),
        ("disable alice", {"username": "alice", "disabled": True, "sessions_ended": 2}),
        ("delete alice", {"username": "alice", "sub": "SUB", "deleted": True}),
    ],
    ids=["set-password", "disable", "delete"],
)
async def test_change_ends_the_password_and_sessions_of_one_user(
    cli: CommandLine, jeton: Running, words: str, result: dict[str, Any]
) -> None:
    app, sub, _ = jeton.add_client(), jeton.add_user().sub, jeton.add_user("bob")
    phone, laptop, bobs = await jeton.log_in(app), await jeton.log_in(app), await jeton.log_in(app, "bob")

    printed = cli.json("user", *words.split(), stdin=OTHER_PASSWORD)

    assert printed == {name: sub if value == "SUB" else value for name, value in result.items()}
    for tokens in (phone, laptop):
        assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
        assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await can_log_in(jeton, app)
    assert await can_log_in(jeton, app, OTHER_PASSWORD) == ("set-password" in words)
    assert (await jeton.introspect(app, bobs["access_token"]))["active"] is True
    assert (await jeton.refresh(app, bobs["refresh_token"])).status_code == 200


@pytest.mark.requirement("G03", "O03")
async def test_user_that_is_added_again_inherits_no_session(cli: CommandLine, jeton: Running) -> None:
    app, user = jeton.add_client(), jeton.add_user()
    cli.text("user", "disable", "alice")
    assert cli.json("user", "enable", "alice") == {"username": "alice", "disabled": False}
    tokens = await jeton.log_in(app)
    cli.text("user", "delete", "alice")
    assert (cli.json("user", "list"), cli.json("session", "list")) == ([], [])
    assert add(cli) != user.sub

    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_generated_new_password_works(cli: CommandLine, jeton: Running) -> None:
    jeton.add_user()

    result = cli.json("user", "set-password", "alice", "--generate-password")

    assert await can_log_in(jeton, jeton.add_client(), result["password"])
