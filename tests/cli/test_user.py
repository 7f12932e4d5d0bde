"""jeton user: accounts, and what happens to their sessions."""

import re

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, START, App, Running

MEMBERS = {"username", "sub", "email", "roles", "disabled", "created_at"}
OTHER_PASSWORD = "another correct battery"


def _add(cli: CommandLine, username: str = "alice", *options: str) -> str:
    """A user with the usual password; gives the `sub`."""
    return str(cli.json("user", "add", username, "--password-stdin", *options, stdin=PASSWORD)["sub"])


async def _may_log_in(jeton: Running, app: App, password: str = PASSWORD) -> bool:
    response = await jeton.token(app, grant_type="password", username="alice", password=password)
    if response.status_code != 200:
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    return response.status_code == 200


# Adding.


async def test_a_user_that_was_added_can_log_in_at_once(cli: CommandLine, jeton: Running) -> None:
    added = cli.json("user", "add", "alice", "--generate-password")

    assert await _may_log_in(jeton, jeton.add_client(), added["password"])


def test_adding_prints_the_generated_password_once_and_all_there_is_to_know(cli: CommandLine) -> None:
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


def test_adding_without_json_prints_a_line_for_each_thing(cli: CommandLine) -> None:
    lines = cli.text("user", "add", "alice", "--role", "admin", "--generate-password").splitlines()

    names = [line.split()[0] for line in lines]
    assert names == ["username", "sub", "email", "roles", "disabled", "created_at", "password"]
    assert lines[0].split() == ["username", "alice"]
    assert lines[5].split(maxsplit=1)[1] == "2027-01-15 08:00:00Z"


def test_a_password_that_was_typed_is_not_printed(cli: CommandLine) -> None:
    output = cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD)

    assert PASSWORD not in output
    assert "password" not in output


@pytest.mark.parametrize("options", [(), ("--password-stdin", "--generate-password")], ids=["neither", "both"])
@pytest.mark.parametrize("command", ["add", "set-password"])
def test_one_must_say_where_the_password_comes_from(cli: CommandLine, command: str, options: tuple[str, ...]) -> None:
    said = cli.misused("user", command, "alice", *options)

    assert "--password-stdin" in said
    assert "--generate-password" in said


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("again", ["alice", "ALICE", "\uff21lice"], ids=["same", "upper case", "full width"])
def test_a_name_that_differs_in_case_or_width_only_is_taken(cli: CommandLine, again: str) -> None:
    _add(cli)

    assert "already" in cli.refused("user", "add", again, "--generate-password")
    assert len(cli.json("user", "list")) == 1


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("name", ["", " ", "two words", "a\tb", "a\u200bb", "x" * 256, "\u06dd"])
def test_what_is_no_name_is_refused(cli: CommandLine, name: str) -> None:
    assert "RFC 8265" in cli.refused("user", "add", name, "--generate-password")


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("username", "email"),
    [("bob", "ALICE@example.com"), ("alice@example.com", "alice@example.com"), ("alice", "bob@example.com")],
    ids=["address in another case", "address as name", "name"],
)
def test_a_name_or_address_that_somebody_has_is_taken(cli: CommandLine, username: str, email: str) -> None:
    _add(cli, "alice", "--email", "alice@example.com")

    assert "already" in cli.refused("user", "add", username, "--email", email, "--generate-password")
    assert len(cli.json("user", "list")) == 1


@pytest.mark.requirement("N13")
def test_commands_find_a_user_by_e_mail_address(cli: CommandLine) -> None:
    sub = _add(cli, "alice", "--email", "alice@example.com")

    assert cli.json("user", "show", "Alice@Example.com")["sub"] == sub
    assert cli.json("session", "list", "--user", "alice@example.com") == []
    assert cli.json("user", "delete", "alice@example.com")["deleted"] is True


@pytest.mark.requirement("N13")
def test_an_address_that_is_anothers_is_no_name(cli: CommandLine) -> None:
    assert "user's e-mail" in cli.refused("user", "add", "alice@example.com", "--generate-password")


@pytest.mark.parametrize("role", ["", "two words", "a\tb"])
def test_a_role_is_one_word(cli: CommandLine, role: str) -> None:
    assert "role" in cli.refused("user", "add", "alice", "--role", role, "--generate-password")
    assert cli.json("user", "list") == []


@pytest.mark.requirement("N16")
def test_there_is_no_user_by_itself(cli: CommandLine) -> None:
    assert cli.json("user", "list") == []


# Looking.


def test_users_are_listed_by_name_without_anything_secret(cli: CommandLine) -> None:
    for name in ("carol", "Alice", "bob"):
        _add(cli, name)

    listed = cli.json("user", "list")

    assert [user["username"] for user in listed] == ["Alice", "bob", "carol"]
    assert all(user.keys() == MEMBERS for user in listed)


def test_the_list_is_a_table(cli: CommandLine) -> None:
    _add(cli, "alice", "--role", "admin")

    header, line = cli.text("user", "list").splitlines()

    assert header.split() == ["username", "sub", "email", "roles", "disabled", "created_at"]
    assert line.split()[0] == "alice"
    assert line.split()[2:5] == ["-", "admin", "no"]


async def test_a_user_is_shown_with_the_number_of_live_sessions(cli: CommandLine, jeton: Running) -> None:
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
def test_a_user_that_does_not_exist_is_refused_with_where_to_look(
    cli: CommandLine, command: tuple[str, ...], name: str
) -> None:
    _add(cli)

    assert "jeton user list" in cli.refused("user", *command, name)
    assert cli.json("user", "show", "alice")["disabled"] is False


# Changing.


@pytest.mark.requirement("I09", "O04")
async def test_a_new_password_ends_all_sessions_at_once_and_the_old_one_is_dead(
    cli: CommandLine, jeton: Running
) -> None:
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


async def test_a_generated_new_password_works(cli: CommandLine, jeton: Running) -> None:
    jeton.add_user()

    result = cli.json("user", "set-password", "alice", "--generate-password")

    assert await _may_log_in(jeton, jeton.add_client(), result["password"])


@pytest.mark.requirement("O03")
async def test_a_disabled_user_is_out_at_once(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    result = cli.json("user", "disable", "alice")

    assert result == {"username": "alice", "disabled": True, "sessions_ended": 1}
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await _may_log_in(jeton, app)


@pytest.mark.requirement("O03")
async def test_an_enabled_user_may_log_in_again_and_ended_sessions_stay_ended(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    cli.text("user", "disable", "alice")

    assert cli.json("user", "enable", "alice") == {"username": "alice", "disabled": False}

    assert await _may_log_in(jeton, app)
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}


@pytest.mark.requirement("O03")
async def test_a_deleted_user_is_out_at_once_and_gone(cli: CommandLine, jeton: Running) -> None:
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
async def test_whoever_gets_the_name_of_a_deleted_user_gets_nothing_else(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    user = jeton.add_user()
    tokens = await jeton.log_in(app)
    cli.text("user", "delete", "alice")

    assert _add(cli) != user.sub

    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_other_users_notice_nothing(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    jeton.add_user("bob")
    tokens = await jeton.log_in(app, "bob")

    cli.text("user", "disable", "alice")
    cli.text("user", "set-password", "alice", "--generate-password")
    cli.text("user", "delete", "alice")

    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200
