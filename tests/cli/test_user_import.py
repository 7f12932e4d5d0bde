"""jeton user import: each line is imported as a whole or refused with a reason."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from jeton.admin import user_import
from jeton.oauth.users import User
from jeton.storage.users import insert_user
from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, START, App, Running

# Of "correct horse battery staple", at small costs.
BCRYPT = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG"
DJANGO = "pbkdf2_sha256$1000$seasaltseasalt$VNzPFE8wmAfZPF7ZBaPWZTpsgmcRgo3yR/SsvmOqXuY="
SUB = "u_" + "0123456789abcdef" * 2


def line(username: str = "alice", **members: Any) -> str:
    return json.dumps({"username": username, **members})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.jsonl"


def imported(cli: CommandLine, file: Path, *lines: str) -> int:
    """Import the lines, none of which is refused. Return the number of users."""
    file.write_text("\n".join(lines), encoding="utf-8")
    report = cli.json("user", "import", str(file))
    assert (report["dry_run"], report["refused"]) == (False, [])
    return int(report["imported"])


def refused(cli: CommandLine, *words: str, stdin: str | bytes | None = None) -> tuple[int, list[tuple[int, str]]]:
    """Run an import that exits with status 1. Return the number of users, and the refused lines with reasons."""
    result = cli.run("user", "import", *words, "--json", stdin=stdin)
    assert result.exit_code == 1, result.output
    report = json.loads(result.stdout)
    assert f"{len(report['refused'])} of {report['imported'] + len(report['refused'])} lines" in str(result.exception)
    return report["imported"], [(it["line"], it["reason"]) for it in report["refused"]]


async def may_log_in(jeton: Running, app: App, username: str = "alice", password: str = PASSWORD) -> bool:
    response = await jeton.token(app, grant_type="password", username=username, password=password)
    return response.status_code == 200


def stored_hash(jeton: Running, username: str = "alice") -> str:
    with jeton.database.read() as connection:
        return str(
            connection.exec_driver_sql(f"SELECT password_hash FROM users WHERE username = '{username}'").scalar()
        )


# Import.


def test_every_member_of_a_line_is_stored(cli: CommandLine, file: Path) -> None:
    told: dict[str, Any] = {
        "email": "alice@example.com",
        "roles": ["admin", "clerk"],
        "disabled": True,
        "created_at": 1_000_000_000,
    }

    assert imported(cli, file, line(password_hash=BCRYPT, sub=SUB, **told)) == 1

    assert cli.json("user", "show", "alice") == {"username": "alice", "sub": SUB, "sessions": 0, **told}


def test_missing_members_get_the_defaults_of_a_new_user(cli: CommandLine, file: Path) -> None:
    assert imported(cli, file, line("Alice")) == 1

    shown = cli.json("user", "show", "alice")
    assert re.fullmatch("u_[0-9a-f]{32}", shown.pop("sub"))
    assert shown.pop("created_at") == START
    assert shown == {"username": "Alice", "email": None, "roles": [], "disabled": False, "sessions": 0}


@pytest.mark.parametrize("sub", ["1042", "auth0|5f7c8ec7c33c6c004bbafe82", "x" * 64, SUB])
def test_imported_sub_is_kept(cli: CommandLine, file: Path, sub: str) -> None:
    imported(cli, file, line(sub=sub))

    assert cli.json("user", "show", "alice")["sub"] == sub


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{line('a')}\n{line('b')}\n".encode(), id="lines"),
        pytest.param(f"{line('a')}\r\n{line('b')}".encode(), id="CRLF, no end"),
        pytest.param(f"\n{line('a')}\n\n  \n{line('b')}\n\n".encode(), id="empty lines"),
        pytest.param(b"\xef\xbb\xbf" + f"{line('a')}\n{line('b')}\n".encode(), id="byte order mark"),
    ],
)
def test_line_ends_empty_lines_and_byte_order_mark_are_accepted(cli: CommandLine, file: Path, text: bytes) -> None:
    file.write_bytes(text)

    assert cli.json("user", "import", str(file))["imported"] == 2


def test_empty_strings_count_as_missing(cli: CommandLine) -> None:
    lines = [line("alice", email="", password_hash=""), line("bob", email="")]

    assert cli.json("user", "import", "-", stdin="\n".join(lines))["imported"] == 2
    assert cli.json("user", "show", "alice")["email"] is None


PRETTY = json.dumps({"username": "alice", "roles": []}, indent=2)
OTHER_FORMS = {
    "JSON array": ("[" + line() + "]", "one JSON array.*jq -c '.\\[\\]' FILE"),
    "JSON array, pretty": (json.dumps([{"username": "alice"}], indent=2), "one JSON array.*jq -c '.\\[\\]' FILE"),
    "object, pretty": (PRETTY, "several lines.*jq -c . FILE"),
    "object in an object": ('{"users": [' + line() + "]}", "users in `users`.*jq -c '.users\\[\\]' FILE"),
    "CSV": ('username,email,password_hash\nalice,,"$2y$04$"', "CSV.*python3 -c 'import csv, json"),
    "CSV with quotes": ('"user_login";"user_pass"\n"alice";"x"', "CSV"),
    "LDIF": ("dn: uid=alice,dc=example,dc=com\nuid: alice", "LDIF"),
    "XML": ("<?xml version='1.0'?>", "XML"),
    "SQL": ("INSERT INTO users VALUES ('alice')", "SQL"),
    "htpasswd": ("alice:$apr1$abc$def", "password file"),
    "UTF-16": (("\ufeff" + line()).encode("utf-16-le"), "UTF-16: write it as UTF-8"),
}


@pytest.mark.parametrize(("text", "said"), OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_file_of_another_format_is_refused_with_its_name_and_advice(
    cli: CommandLine, text: str | bytes, said: str
) -> None:
    # A byte order mark comes first; all else may follow empty lines.
    whole = "\n" + text if isinstance(text, str) else text

    assert re.search(said, cli.refused("user", "import", "-", stdin=whole))
    assert cli.json("user", "list") == []


def test_advised_command_converts_csv(cli: CommandLine, file: Path) -> None:
    said = cli.refused("user", "import", "-", stdin="username,email,password_hash\n")
    command = said.partition("as this prints them: ")[2]
    file.write_text(f"username,email,password_hash\nalice,,{BCRYPT}\n", encoding="utf-8")
    converted = subprocess.run(
        command.replace("FILE", shlex.quote(str(file))), shell=True, check=True, capture_output=True
    ).stdout

    assert cli.json("user", "import", "-", stdin=converted)["imported"] == 1


def test_file_is_read_from_stdin(cli: CommandLine) -> None:
    assert cli.json("user", "import", "-", stdin=line())["imported"] == 1


def test_empty_file_imports_no_user(cli: CommandLine) -> None:
    assert cli.json("user", "import", "-", stdin="") == {"dry_run": False, "imported": 0, "refused": []}


def test_import_of_several_batches(cli: CommandLine, file: Path) -> None:
    count = 2 * user_import.BATCH_SIZE + 1

    assert imported(cli, file, *(line(f"user{n}") for n in range(count))) == count
    assert len(cli.json("user", "list")) == count


# Login.


@pytest.mark.requirement("N12")
@pytest.mark.parametrize("password_hash", [BCRYPT, DJANGO], ids=["bcrypt", "PBKDF2"])
async def test_imported_hash_is_replaced_at_first_login(
    cli: CommandLine, jeton: Running, file: Path, password_hash: str
) -> None:
    app = jeton.add_client()
    imported(cli, file, line(password_hash=password_hash))

    assert not await may_log_in(jeton, app, password="wrong")
    assert stored_hash(jeton) == password_hash
    assert await may_log_in(jeton, app)

    assert stored_hash(jeton).startswith("$argon2id$")
    assert await may_log_in(jeton, app)
    assert not await may_log_in(jeton, app, password="wrong")


async def test_session_of_first_login_continues(cli: CommandLine, jeton: Running, file: Path) -> None:
    app = jeton.add_client()
    imported(cli, file, line(password_hash=BCRYPT))

    tokens = await jeton.log_in(app)

    assert await jeton.refreshed(app, tokens["refresh_token"])
    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True


async def test_disabled_user_and_user_without_hash_cannot_log_in(cli: CommandLine, jeton: Running, file: Path) -> None:
    app = jeton.add_client()
    imported(cli, file, line("disabled", password_hash=BCRYPT, disabled=True), line("bare"))

    assert not await may_log_in(jeton, app, "disabled")
    assert not await may_log_in(jeton, app, "bare")

    cli.text("user", "enable", "disabled")
    cli.text("user", "set-password", "bare", "--password-stdin", stdin=PASSWORD)
    assert await may_log_in(jeton, app, "disabled")
    assert await may_log_in(jeton, app, "bare")


# Refused lines.

REFUSED = {
    "no JSON": ("alice", "not a user record"),
    "cut": (line()[:-1], "not a user record"),
    "no object": ('["alice"]', "Expected `object`, got `array`"),
    "no name": ('{"email": "alice@example.com"}', "missing required field `username`"),
    "a name of another type": ('{"username": 5}', "Expected `str`, got `int` - at `$.username`"),
    "an unknown member": (line(password="clear text"), "unknown field `password`"),
    "one role": (line(roles="admin"), "Expected `array`, got `str`"),
    "disabled by a number": (line(disabled=1), "Expected `bool`, got `int`"),
    "half of a character": (line(email="\ud800"), "not a user record"),
    "a control character": ('{"\\u001b[2J": 1}', "unknown field `?[2J`"),
    "a name of two words": (line("two words"), "RFC 8265"),
    "a name with a NUL": (line("a\0b"), "RFC 8265"),
    "another's address as name": (line("alice@example.com"), "user's e-mail"),
    "no address": (line(email="alice"), "name@example.com"),
    "an empty role": (line(roles=[""]), "role"),
    "a role of two words": (line(roles=["two words"]), "role"),
    "a role with a NUL": (line(roles=["a\0b"]), "role"),
    "an empty sub": (line(sub=""), "sub must be 1 to 64"),
    "a long sub": (line(sub="x" * 65), "sub must be 1 to 64"),
    "a sub of two words": (line(sub="two words"), "sub must be 1 to 64"),
    "a sub beyond ASCII": (line(sub="caf\u00e9"), "sub must be 1 to 64"),
    "born in the future": (line(created_at=START + 1), "created_at"),
    "born before time": (line(created_at=-1), "created_at"),
    "born at a fraction": (line(created_at=1.5), "created_at"),
    "a date in words": (line(created_at="2020-01-01"), "created_at"),
    "a weak hash": (line(password_hash="md5$salt$" + "a" * 32), "salted digest (Django, Werkzeug, ASP)"),
    "an unknown hash": (line(password_hash="rot13"), "not supported: use bcrypt"),
    "a costly hash": (line(password_hash=BCRYPT.replace("$04$", "$31$")), "bcrypt, cost 31"),
    "a hungry hash": (
        line(password_hash="$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43),
        "at most 1,000 ms",
    ),
    "other names": (
        '{"UserName": "a", "password": "$2y$", "_id": 1}',
        (
            "`UserName` is called `username` here; `password` is called `password_hash` here (the whole hash as it is"
            " stored there, never a plain password); `_id` is called `sub` here"
        ),
    ),
    "members of Keycloak": (line(credentials=[], enabled=True), "Keycloak's: docs/operations/users.md shows how"),
    "members of Firebase": (line(localId="x", passwordHash="x", salt="x"), "Firebase's hashes cannot be taken"),
    "a comma after it": (line() + ",", "remove the comma after the object"),
    "endless": (line(email="x" * 70_000), "longer than 65,536 bytes"),
}


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(("bad", "reason"), REFUSED.values(), ids=REFUSED)
def test_bad_line_is_refused_with_reason_and_others_are_imported(
    cli: CommandLine, file: Path, bad: str, reason: str
) -> None:
    file.write_text("\n".join([line("before"), "", bad, line("after")]), encoding="utf-8")

    count, ((number, said),) = refused(cli, str(file))

    assert (count, number) == (2, 3)
    assert reason in said
    assert said.isprintable()
    assert [it["username"] for it in cli.json("user", "list")] == ["after", "before"]


def test_line_that_is_not_utf_8_is_refused(cli: CommandLine) -> None:
    count, ((number, said),) = refused(cli, "-", stdin=b'{"username": "\xff"}\n' + line().encode())

    assert (count, number) == (1, 1)
    assert "utf-8" in said


@pytest.mark.requirement("A50")
def test_report_contains_no_hash_or_password(cli: CommandLine) -> None:
    lines = [
        line("a", password_hash=BCRYPT),
        line("b", password_hash=BCRYPT[:-3]),
        line("c", password="hunter2hunter2"),
        line("a", password_hash=BCRYPT),
        line("d", password_hash=["hunter2hunter2"]),
    ]
    for words in ((), ("--json",)):
        output = cli.run("user", "import", "-", *words, stdin="\n".join(lines)).output
        assert BCRYPT[-20:-3] not in output
        assert "hunter2" not in output


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("again", "reason"),
    [
        (line("ALICE"), "user name or e-mail address"),
        (line("\uff21lice"), "user name or e-mail address"),
        (line("bob", email="Alice@EXAMPLE.com"), "user name or e-mail address"),
        (line("alice@example.com", email="alice@example.com"), "user name or e-mail address"),
        (line("bob", sub=SUB), "this sub"),
    ],
    ids=["case", "width", "address", "address as name", "sub"],
)
@pytest.mark.parametrize("where", ["in the file", "in the file, dry", "in the database"])
def test_duplicate_user_is_refused(cli: CommandLine, again: str, reason: str, where: str) -> None:
    first = line("alice", email="alice@example.com", sub=SUB)
    if where == "in the database":
        assert cli.json("user", "import", "-", stdin=first)["imported"] == 1
        count, ((number, said),) = refused(cli, "-", stdin=again + "\n" + line("carol"))
        assert (count, number) == (1, 1)
        assert f"there is a user with this {reason.removeprefix('this ')} already" in said
    else:
        dry = ["--dry-run"] if "dry" in where else []
        count, ((number, said),) = refused(cli, "-", *dry, stdin=f"{first}\n{again}\n{line('carol')}")
        assert (count, number) == (2, 2)
        assert "line 1 of this file" in said
        assert reason in said


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["real", "dry"])
def test_duplicate_of_earlier_batch_is_refused(
    cli: CommandLine, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_import, "BATCH_SIZE", 1)

    count, ((number, said),) = refused(cli, "-", *options, stdin="\n".join([line("alice"), line("bob"), line("ALICE")]))

    assert (count, number) == (2, 3)
    assert "line 1 of this file" in said


def test_refused_line_does_not_block_a_later_line(cli: CommandLine) -> None:
    count, ((number, _),) = refused(cli, "-", stdin=line(roles=[""]) + "\n" + line())

    assert (count, number) == (1, 1)


def test_repeated_import_refuses_all_lines_and_changes_nothing(cli: CommandLine, file: Path) -> None:
    lines = [line("alice", password_hash=BCRYPT), line("bob", roles=["clerk"])]
    imported(cli, file, *lines)
    before = cli.json("user", "list")

    count, reasons = refused(cli, str(file))

    assert count == 0
    assert [number for number, _ in reasons] == [1, 2]
    assert all("there is a user with this user name" in said for _, said in reasons)
    assert cli.json("user", "list") == before


async def test_repeated_import_keeps_hash_of_later_login(cli: CommandLine, jeton: Running, file: Path) -> None:
    imported(cli, file, line(password_hash=BCRYPT))
    await jeton.log_in(jeton.add_client())

    refused(cli, str(file))

    assert stored_hash(jeton).startswith("$argon2id$")


@pytest.mark.requirement("G03")
def test_sub_and_client_id_are_never_equal(cli: CommandLine) -> None:
    cli.text("client", "add", "web", "--grant", "client_credentials", "--scope", "read")

    _, ((_, said),) = refused(cli, "-", stdin=line(sub="web"))
    cli.json("user", "import", "-", stdin=line(sub="1042"))

    assert "client_id" in said
    assert "sub is 1042" in cli.refused("client", "add", "1042", "--grant", "client_credentials", "--scope", "read")


# Dry run and failures.


def test_dry_run_reports_the_same_and_changes_nothing(cli: CommandLine, file: Path) -> None:
    file.write_text("\n".join([line("alice"), line("bob"), line("two words")]), encoding="utf-8")

    dry = cli.run("user", "import", str(file), "--dry-run", "--json")
    assert cli.json("user", "list") == []
    real = cli.run("user", "import", str(file), "--json")

    assert (dry.exit_code, real.exit_code) == (1, 1)
    assert json.loads(dry.stdout) == json.loads(real.stdout) | {"dry_run": True}
    assert len(cli.json("user", "list")) == 2


def test_report_without_json_is_a_table_and_a_summary(cli: CommandLine) -> None:
    result = cli.run("user", "import", "-", stdin="\n".join([line("alice"), line("ALICE"), "{}"]))

    assert result.exit_code == 1
    header, *rows, dry, count, refusals = result.stdout.splitlines()
    assert header.split() == ["line", "username", "reason"]
    assert [row.split()[:2] for row in rows] == [["2", "ALICE"], ["3", "-"]]
    assert [it.split() for it in (dry, count, refusals)] == [["dry_run", "no"], ["imported", "1"], ["refused", "2"]]


def test_missing_file_is_wrong_usage(cli: CommandLine) -> None:
    assert "nowhere.jsonl" in cli.misused("user", "import", "nowhere.jsonl")


def test_interrupted_import_is_atomic_per_batch_and_can_be_repeated(
    cli: CommandLine, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interruption is in the second batch, after its first user."""
    monkeypatch.setattr(user_import, "BATCH_SIZE", 2)
    file.write_text("\n".join(line(f"user{n}") for n in range(5)), encoding="utf-8")

    def add_and_be_killed(connection: Connection, user: User) -> None:
        if user.username == "user3":
            raise KeyboardInterrupt
        insert_user(connection, user)

    with monkeypatch.context() as patch:
        patch.setattr(user_import, "insert_user", add_and_be_killed)
        assert cli.run("user", "import", str(file)).exit_code != 0
    assert [it["username"] for it in cli.json("user", "list")] == ["user0", "user1"]

    count, reasons = refused(cli, str(file))
    assert (count, [number for number, _ in reasons]) == (3, [1, 2])


def test_user_added_concurrently_is_refused(
    cli: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt finds no conflict, its insert fails, the second attempt finds the conflict."""
    cli = cli.with_variables(DATABASE__URL=database_url)
    cli.text("user", "add", "bob", "--generate-password")
    looks = [dict[Any, str]()]
    look = user_import._load_taken
    monkeypatch.setattr(user_import, "_load_taken", lambda *arguments: looks.pop() if looks else look(*arguments))

    count, ((number, said),) = refused(cli, "-", stdin=line("alice") + "\n" + line("bob"))

    assert (count, number) == (1, 2)
    assert "there is a user" in said
    assert len(cli.json("user", "list")) == 2
