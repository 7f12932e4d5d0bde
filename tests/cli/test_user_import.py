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
from jeton.admin.user_import_records import RecordError, parse_record
from jeton.crypto.hash_trial import HashTrial
from jeton.oauth.users import User
from jeton.storage.users import insert_user
from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, START, Running

# Of "correct horse battery staple", at small costs.
BCRYPT = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG"
DJANGO = "pbkdf2_sha256$1000$seasaltseasalt$VNzPFE8wmAfZPF7ZBaPWZTpsgmcRgo3yR/SsvmOqXuY="
SUB = "u_" + "0123456789abcdef" * 2


def line(username: str = "alice", **members: Any) -> str:
    return json.dumps({"username": username, **members})


def imported(cli: CommandLine, *lines: str | bytes) -> int:
    """Import the lines, none of which is refused. Return the number of users."""
    text = b"\n".join(it if isinstance(it, bytes) else it.encode() for it in lines)
    report = cli.json("user", "import", "-", stdin=text)
    assert (report["dry_run"], report["refused"]) == (False, [])
    return int(report["imported"])


def refused(cli: CommandLine, *lines: str, options: tuple[str, ...] = ()) -> tuple[int, dict[int, str]]:
    """Run an import that exits with status 1. Return the number of users, and the reasons by line."""
    result = cli.run(
        "user", "import", "-", *options, "--json", stdin="\n".join(lines).encode("utf-8", "surrogateescape")
    )
    assert result.exit_code == 1, result.output
    report = json.loads(result.stdout)
    assert f"{len(report['refused'])} of {report['imported'] + len(report['refused'])} lines" in str(result.exception)
    return report["imported"], {it["line"]: it["reason"] for it in report["refused"]}


def usernames(cli: CommandLine) -> list[str]:
    return [it["username"] for it in cli.json("user", "list")]


# Import.


def test_every_member_of_a_line_is_stored(cli: CommandLine) -> None:
    told: dict[str, Any] = {
        "sub": SUB,
        "email": "a@b.example",
        "roles": ["admin", "clerk"],
        "disabled": True,
        "created_at": 10**9,
        "email_verified": True,
        "claims": {"name": "Alice Archer"},
    }

    assert imported(cli, line(password_hash=BCRYPT, **told)) == 1

    assert cli.json("user", "show", "alice") == {"username": "alice", "sessions": 0, **told}


def test_missing_and_empty_members_get_the_defaults_of_a_new_user(cli: CommandLine) -> None:
    assert imported(cli, line("Alice"), line("bob", email="", password_hash="", email_verified=True)) == 2

    for name in ("Alice", "bob"):
        shown = cli.json("user", "show", name)
        assert re.fullmatch("u_[0-9a-f]{32}", shown.pop("sub"))
        assert shown.pop("created_at") == START
        nothing: dict[str, Any] = {"email": None, "email_verified": False, "claims": {}, "roles": []}
        assert shown == {"username": name, "disabled": False, "sessions": 0} | nothing


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(f"{line('a')}\n{line('b')}\n", 2, id="lines"),
        pytest.param(f"{line('a')}\r\n{line('b')}", 2, id="CRLF, no end"),
        pytest.param(f"\n{line('a')}\n\n  \n{line('b')}\n\n", 2, id="empty lines"),
        pytest.param(f"\ufeff{line('a')}\n{line('b')}\n", 2, id="byte order mark"),
        pytest.param("", 0, id="empty file"),
    ],
)
def test_line_ends_empty_lines_and_byte_order_mark_are_accepted(cli: CommandLine, text: str, count: int) -> None:
    Path("users.jsonl").write_text(text, encoding="utf-8", newline="")

    assert cli.json("user", "import", "users.jsonl") == {"dry_run": False, "imported": count, "refused": []}


def test_missing_file_is_wrong_usage(cli: CommandLine) -> None:
    assert "nowhere.jsonl" in cli.misused("user", "import", "nowhere.jsonl")


OTHER_FORMS = {
    "JSON array": ("[" + line() + "]", "one JSON array.*jq -c '.\\[\\]' FILE"),
    "JSON array, pretty": (json.dumps([{"username": "alice"}], indent=2), "one JSON array.*jq -c '.\\[\\]' FILE"),
    "object, pretty": (json.dumps({"username": "alice", "roles": []}, indent=2), "several lines.*jq -c . FILE"),
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
def test_file_of_another_format_is_refused_with_name_and_advice(cli: CommandLine, text: str | bytes, said: str) -> None:
    # A byte order mark comes first; all else may follow empty lines.
    whole = "\n" + text if isinstance(text, str) else text

    assert re.search(said, cli.refused("user", "import", "-", stdin=whole))
    assert usernames(cli) == []


def test_advised_command_converts_csv(cli: CommandLine, tmp_path: Path) -> None:
    said = cli.refused("user", "import", "-", stdin="username,email,password_hash\n")
    command = said.partition("as this prints them: ")[2]
    file = tmp_path / "users.csv"
    file.write_text(f"username,email,password_hash\nalice,,{BCRYPT}\n", encoding="utf-8")
    converted = subprocess.check_output(command.replace("FILE", shlex.quote(str(file))), shell=True)

    assert imported(cli, converted) == 1


@pytest.mark.requirement("N12")
async def test_imported_users_log_in_unless_they_are_disabled_or_have_no_hash(cli: CommandLine, jeton: Running) -> None:
    """The replacement of the hash at the first login is tested in protocol/test_password_grant.py."""
    hashes = {"bcrypt": BCRYPT, "django": DJANGO, "disabled": BCRYPT}
    imported(cli, *(line(name, password_hash=it, disabled=name == "disabled") for name, it in hashes.items()))
    imported(cli, line("bare"))
    app = jeton.add_client()

    async def status(username: str, password: str = PASSWORD) -> int:
        return (await jeton.token(app, grant_type="password", username=username, password=password)).status_code

    users = (*hashes, "bare")
    assert [await status(name) for name in users] == [200, 200, 400, 400]
    assert await status("bcrypt", "wrong") == 400
    cli.text("user", "enable", "disabled")
    cli.text("user", "set-password", "bare", "--password-stdin", stdin=PASSWORD)
    assert [await status(name) for name in users] == [200] * 4


# Refused lines.

REFUSED = {
    "no JSON": ("alice", "not a user record"),
    "cut": (line()[:-1], "not a user record"),
    "no object": ('["alice"]', "Expected `object`, got `array`"),
    "no name": ('{"email": "alice@example.com"}', "missing required field `username`"),
    "a name of another type": ('{"username": 5}', "Expected `str`, got `int` - at `$.username`"),
    "an unknown member": (line(shoe_size=5), "unknown field `shoe_size`"),
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
    "a claim that is no URL": (line(claims={"website": "ftp://x"}), "website must be an https URL"),
    "a date in words": (line(created_at="2020-01-01"), "created_at"),
    "a weak hash": (line(password_hash="md5$salt$" + "a" * 32), "salted digest (Django, Werkzeug, ASP)"),
    "an unknown hash": (line(password_hash="rot13"), "not supported: use bcrypt"),
    "a costly hash": (line(password_hash=BCRYPT.replace("$04$", "$31$")), "bcrypt, cost 31"),
    "a hungry hash": (line(password_hash=f"$argon2id$v=19$m=4194304,t=1,p=1${'c2Fs' * 4}${'A' * 43}"), "1,000 ms"),
    "another name": ('{"UserName": "a"}', "`UserName` is called `username` here"),
    "a name in other words": ('{"_id": 1}', "`_id` is called `sub` here"),
    "a name with a hint": (line(password="$2y$"), "`password` is called `password_hash` here (the whole hash"),
    "members of Keycloak": (line(credentials=[], enabled=True), "Keycloak's: docs/operations/users.md shows how"),
    "members of Firebase": (line(localId="x", passwordHash="x", salt="x"), "Firebase's hashes cannot be taken"),
    "a comma after it": (line() + ",", "remove the comma after the object"),
    "no UTF-8": ('{"username": "\udcff"}', "the line is not UTF-8"),
    "endless": (line(email="x" * 70_000), "longer than 65,536 bytes"),
}


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(("bad", "reason"), REFUSED.values(), ids=REFUSED)
def test_bad_line_is_refused_with_the_reason(bad: str, reason: str) -> None:
    with pytest.raises(RecordError) as refusal:
        parse_record(1, bad.encode("utf-8", "surrogateescape"), START, HashTrial())

    assert reason in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.mark.requirement("A50", "O16")
def test_other_lines_are_imported_and_the_report_contains_no_hash_or_password(cli: CommandLine) -> None:
    lines = [
        *(line("a", password_hash=BCRYPT), "", line("b", password_hash=BCRYPT[:-3])),
        *(line("c", password="hunter2hunter2"), line("a", password_hash=BCRYPT), "{}"),
        *(line("d", password_hash=["hunter2hunter2"]), line("d", roles=[""]), line("d")),
    ]

    dry = refused(cli, *lines, options=("--dry-run",))
    assert usernames(cli) == []
    assert refused(cli, *lines) == dry
    assert (dry[0], list(dry[1])) == (2, [3, 4, 5, 6, 7, 8])
    assert usernames(cli) == ["a", "d"]
    table = cli.run("user", "import", "-", "--dry-run", stdin="\n".join(lines)).stdout
    for text in (table, str(dry)):
        assert BCRYPT[-20:-3] not in text
        assert "hunter2" not in text
    header, *rows, is_dry, count, refusals = [it.split() for it in table.splitlines()]
    assert header == ["line", "username", "reason"]
    assert [row[:2] for row in rows[:3]] == [["1", "a"], ["3", "-"], ["4", "-"]]
    assert [is_dry, count, refusals] == [["dry_run", "yes"], ["imported", "0"], ["refused", "8"]]


SAME_USER = {
    line("ALICE"): "user name or e-mail address",
    line("\uff21lice"): "user name or e-mail address",
    line("bob", email="Alice@EXAMPLE.com"): "user name or e-mail address",
    line("alice@example.com", email="alice@example.com"): "user name or e-mail address",
    line("bob", sub=SUB): "this sub",
}


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("batch_size", [200, 1])
def test_duplicate_user_is_refused(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, batch_size: int) -> None:
    """Duplicates in a dry run, within one file, and of users of an earlier import."""
    monkeypatch.setattr(user_import, "BATCH_SIZE", batch_size)
    first = line("alice", email="alice@example.com", sub=SUB)

    for options in (("--dry-run",), ()):
        count, reasons = refused(cli, first, *SAME_USER, line("carol"), options=options)
        assert (count, list(reasons)) == (2, [2, 3, 4, 5, 6])
        for said, reason in zip(reasons.values(), SAME_USER.values(), strict=True):
            assert "line 1 of this file" in said
            assert reason in said
    count, reasons = refused(cli, *SAME_USER, first, line("dave"))
    assert (count, list(reasons)) == (1, [1, 2, 3, 4, 5, 6])
    assert all("there is a user with this" in said for said in reasons.values())
    assert usernames(cli) == ["alice", "carol", "dave"]


@pytest.mark.requirement("G03")
def test_sub_and_client_id_are_never_equal(cli: CommandLine) -> None:
    cli.text("client", "add", "web")

    _, reasons = refused(cli, line(sub="web"))
    imported(cli, line(sub="1042"))

    assert "client_id" in reasons[1]
    assert "sub is 1042" in cli.refused("client", "add", "1042")


def test_interrupted_import_is_atomic_per_batch_and_can_be_repeated(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interruption is in the second batch, after its first user."""
    monkeypatch.setattr(user_import, "BATCH_SIZE", 2)
    lines = [line(f"user{n}") for n in range(5)]

    def add_and_be_killed(connection: Connection, user: User) -> None:
        if user.username == "user3":
            raise KeyboardInterrupt
        insert_user(connection, user)

    with monkeypatch.context() as patch:
        patch.setattr(user_import, "insert_user", add_and_be_killed)
        assert cli.run("user", "import", "-", stdin="\n".join(lines)).exit_code != 0
    assert usernames(cli) == ["user0", "user1"]

    count, reasons = refused(cli, *lines)
    assert (count, list(reasons)) == (3, [1, 2])
    assert usernames(cli) == [f"user{n}" for n in range(5)]


def test_concurrently_added_user_is_refused(
    cli: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt finds no conflict, its insert fails, the second attempt finds the conflict."""
    cli = cli.with_variables(DATABASE__URL=database_url)
    cli.text("user", "add", "bob", "--generate-password")
    looks = [dict[Any, str]()]
    look = user_import._load_taken
    monkeypatch.setattr(user_import, "_load_taken", lambda *arguments: looks.pop() if looks else look(*arguments))

    count, reasons = refused(cli, line("alice"), line("bob"))

    assert (count, list(reasons)) == (1, [2])
    assert "there is a user" in reasons[2]
    assert usernames(cli) == ["alice", "bob"]
