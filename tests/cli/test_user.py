"""jeton user: registration and changes of users, and effects on their sessions."""

import re

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, START, App, Running

MEMBERS = {"username", "sub", "email", "roles", "disabled", "created_at"}
OTHER_PASSWORD = "another correct battery"


def _add(cli: CommandLine, username: str = "alice", *options: str) -> str:
    """Add a user with the default password. Return the `sub`."""
    return str(cli.json("user", "add", username, "--password-stdin", *options, stdin=PASSWORD)["sub"])


async def _may_log_in(jeton: Running, app: App, password: str = PASSWORD) -> bool:
    response = await jeton.token(app, grant_type="password", username="alice", password=password)
    if response.status_code != 200:
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    return response.status_code == 200


# Adding.


async def test_added_user_can_log_in_immediately(cli: CommandLine, jeton: Running) -> None:
    added = cli.json("user", "add", "alice", "--generate-password")

    assert await _may_log_in(jeton, jeton.add_client(), added["password"])


def test_add_prints_user_and_generated_password_once(cli: CommandLine) -> None:
    options = ("--email", "alice@example.com", "--role", "admin", "--role", "clerk", "--generate-password")

    added = cli.json("user", "add", "Alice", *options)

    assert added.keys() == MEMBERS | {"password"}
    assert len(added.pop("password")) >= 20
    assert re.fullmatch(r"u_[0-9a-f]{32}", added["sub"])
    assert cli.json("user", "show", "alice") == added | {"sessions": 0}
    assert (added["username"], added["email"], added["roles"]) == ("Alice", "alice@example.com", ["admin", "clerk"])
    assert (added["disabled"], added["created_at"]) == (False, START)


def test_generated_passwords_differ(cli: CommandLine) -> None:
    passwords = {cli.json("user", "add", f"user{n}", "--generate-password")["password"] for n in range(3)}

    assert len(passwords) == 3


def test_add_without_json_prints_one_line_per_member(cli: CommandLine) -> None:
    lines = cli.text("user", "add", "alice", "--role", "admin", "--generate-password").splitlines()

    names = [line.split()[0] for line in lines]
    assert names == ["username", "sub", "email", "roles", "disabled", "created_at", "password"]
    assert lines[0].split() == ["username", "alice"]
    assert lines[5].split(maxsplit=1)[1] == "2027-01-15 08:00:00Z"


def test_given_password_is_not_printed(cli: CommandLine) -> None:
    output = cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD)

    assert PASSWORD not in output
    assert "password" not in output


@pytest.mark.parametrize("options", [(), ("--password-stdin", "--generate-password")], ids=["neither", "both"])
@pytest.mark.parametrize("command", ["add", "set-password"])
def test_add_needs_exactly_one_password_source(cli: CommandLine, command: str, options: tuple[str, ...]) -> None:
    said = cli.misused("user", command, "alice", *options)

    assert "--password-stdin" in said
    assert "--generate-password" in said


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("again", ["alice", "ALICE", "\uff21lice"], ids=["same", "upper case", "full width"])
def test_username_that_differs_only_in_case_or_width_is_refused(cli: CommandLine, again: str) -> None:
    _add(cli)

    assert "already" in cli.refused("user", "add", again, "--generate-password")
    assert len(cli.json("user", "list")) == 1


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("name", ["", " ", "two words", "a\tb", "a\u200bb", "x" * 256, "\u06dd"])
def test_invalid_username_is_refused(cli: CommandLine, name: str) -> None:
    assert "RFC 8265" in cli.refused("user", "add", name, "--generate-password")


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("username", "email"),
    [("bob", "ALICE@example.com"), ("alice@example.com", "alice@example.com"), ("alice", "bob@example.com")],
    ids=["address in another case", "address as name", "name"],
)
def test_used_username_or_email_is_refused(cli: CommandLine, username: str, email: str) -> None:
    _add(cli, "alice", "--email", "alice@example.com")

    assert "already" in cli.refused("user", "add", username, "--email", email, "--generate-password")
    assert len(cli.json("user", "list")) == 1


@pytest.mark.requirement("N13")
def test_commands_find_user_by_email(cli: CommandLine) -> None:
    sub = _add(cli, "alice", "--email", "alice@example.com")

    assert cli.json("user", "show", "Alice@Example.com")["sub"] == sub
    assert cli.json("session", "list", "--user", "alice@example.com") == []
    assert cli.json("user", "delete", "alice@example.com")["deleted"] is True


@pytest.mark.requirement("N13")
def test_email_of_another_user_is_refused_as_username(cli: CommandLine) -> None:
    assert "user's e-mail" in cli.refused("user", "add", "alice@example.com", "--generate-password")


@pytest.mark.parametrize("role", ["", "two words", "a\tb"])
def test_role_must_be_one_word(cli: CommandLine, role: str) -> None:
    assert "role" in cli.refused("user", "add", "alice", "--role", role, "--generate-password")
    assert cli.json("user", "list") == []


@pytest.mark.requirement("N16")
def test_new_database_has_no_users(cli: CommandLine) -> None:
    assert cli.json("user", "list") == []


# Looking.


def test_users_are_listed_by_name_without_secrets(cli: CommandLine) -> None:
    for name in ("carol", "Alice", "bob"):
        _add(cli, name)

    listed = cli.json("user", "list")

    assert [user["username"] for user in listed] == ["Alice", "bob", "carol"]
    assert all(user.keys() == MEMBERS for user in listed)


def test_list_without_json_is_a_table(cli: CommandLine) -> None:
    _add(cli, "alice", "--role", "admin")

    header, line = cli.text("user", "list").splitlines()

    assert header.split() == ["username", "sub", "email", "roles", "disabled", "created_at"]
    assert line.split()[0] == "alice"
    assert line.split()[2:5] == ["-", "admin", "no"]


async def test_show_user_contains_number_of_live_sessions(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client(lifetimes={"refresh_idle_seconds": 100})
    jeton.add_user()
    await jeton.log_in(app)
    jeton.clock.advance(50)
    await jeton.log_in(app)
    assert cli.json("user", "show", "alice")["sessions"] == 2

    jeton.clock.advance(50)

    assert cli.json("user", "show", "alice")["sessions"] == 1
    assert re.search(r"^sessions +1$", cli.text("user", "show", "alice"), re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    [("show",), ("disable",), ("enable",), ("delete",), ("set-password", "--generate-password")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("name", ["nobody", "", "no name"])
def test_unknown_user_is_refused_with_advice(cli: CommandLine, command: tuple[str, ...], name: str) -> None:
    _add(cli)

    assert "jeton user list" in cli.refused("user", *command, name)
    assert cli.json("user", "show", "alice")["disabled"] is False


# Changing.


@pytest.mark.requirement("I09", "O04")
async def test_new_password_replaces_old_one_and_ends_all_sessions(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    phone, laptop = await jeton.log_in(app), await jeton.log_in(app)

    result = cli.json("user", "set-password", "ALICE", "--password-stdin", stdin=OTHER_PASSWORD)

    assert (result["username"], result["sessions_ended"]) == ("alice", 2)
    for tokens in (phone, laptop):
        assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
        assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await _may_log_in(jeton, app)
    assert await _may_log_in(jeton, app, OTHER_PASSWORD)


async def test_generated_new_password_works(cli: CommandLine, jeton: Running) -> None:
    jeton.add_user()

    result = cli.json("user", "set-password", "alice", "--generate-password")

    assert await _may_log_in(jeton, jeton.add_client(), result["password"])


@pytest.mark.requirement("O03")
async def test_disabled_user_cannot_log_in_and_loses_sessions(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    result = cli.json("user", "disable", "alice")

    assert result == {"username": "alice", "disabled": True, "sessions_ended": 1}
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await _may_log_in(jeton, app)


@pytest.mark.requirement("O03")
async def test_enabled_user_can_log_in_and_ended_sessions_stay_ended(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    cli.text("user", "disable", "alice")

    assert cli.json("user", "enable", "alice") == {"username": "alice", "disabled": False}

    assert await _may_log_in(jeton, app)
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


@pytest.mark.requirement("O03")
async def test_deleted_user_cannot_log_in_and_is_not_stored(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    user = jeton.add_user()
    tokens = await jeton.log_in(app)

    assert cli.json("user", "delete", "alice") == {"username": "alice", "sub": user.sub, "deleted": True}

    assert cli.json("user", "list") == []
    assert cli.json("session", "list") == []
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await _may_log_in(jeton, app)


@pytest.mark.requirement("G03")
async def test_reused_username_inherits_nothing(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    user = jeton.add_user()
    tokens = await jeton.log_in(app)
    cli.text("user", "delete", "alice")

    assert _add(cli) != user.sub

    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_other_users_are_not_affected(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    jeton.add_user("bob")
    tokens = await jeton.log_in(app, "bob")

    cli.text("user", "disable", "alice")
    cli.text("user", "set-password", "alice", "--generate-password")
    cli.text("user", "delete", "alice")

    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200
