"""jeton database copy and jeton migrate: arguments, reports, progress on terminals only, and when schemas change."""

import gc
import os
import pty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jeton.crypto.master_key import parse_master_keys
from jeton.storage.migrate import migrations
from jeton.storage.tables import metadata
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, App, Running


@pytest.fixture
def urls(sqlite_url: str, tmp_path: Path) -> tuple[str, str]:
    """The URL of the database of the commands, and one of a database that does not exist."""
    return sqlite_url, f"sqlite:///{tmp_path}/new/target.db"


def test_copy_reports_each_table_and_the_master_key_that_it_depends_on(cli: CommandLine, urls: tuple[str, str]) -> None:
    cli.run("user", "add", "alice", "--generate-password")

    report = cli.json("database", "copy", *urls)

    rows = {it["table"]: it["rows"] for it in report["tables"]}
    assert rows.keys() == metadata.tables.keys()
    assert (rows["users"], rows["signing_keys"], rows["families"]) == (1, 2, 0)
    assert all(len(it["sha256"]) == 64 for it in report["tables"])
    assert (report["master_key_ids"], report["master_key_checked"]) == ([], True)
    assert [it["username"] for it in cli.with_variables(DATABASE__URL=urls[1]).json("user", "list")] == ["alice"]


async def test_copy_is_refused_while_a_server_runs(
    jeton: Running, app: App, cli: CommandLine, urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await jeton.log_in(app)
    monkeypatch.setattr("jeton.storage.database._SQLITE_PRAGMAS", ["busy_timeout=0"])

    assert "is in use: stop all servers" in cli.refused("database", "copy", *urls)


def test_copy_names_the_master_key_that_is_configured_nowhere(
    cli: CommandLine, urls: tuple[str, str], tmp_path: Path
) -> None:
    without = cli.with_variables(SECRETS__MASTER_KEY="")
    (tmp_path / "jeton.db.master-key").write_text(MASTER_KEY)
    (tmp_path / "new").mkdir()
    of_target = tmp_path / "new" / "target.db.master-key"

    of_target.write_text(MASTER_KEY[::-1].swapcase())
    assert "is needed but not configured" in without.refused("database", "copy", *urls)
    of_target.unlink()
    told = without.run("database", "copy", *urls)

    assert told.exit_code == 0
    assert "the master key of FROM: secrets.master_key (it is in" in told.stderr
    assert MASTER_KEY not in told.output
    assert parse_master_keys(MASTER_KEY).newest not in told.output


def test_copy_needs_two_databases_of_which_the_first_exists(cli: CommandLine, urls: tuple[str, str]) -> None:
    missing = urls[1]

    assert "there is no database" in cli.refused("database", "copy", missing, urls[0])
    assert not Path(missing.removeprefix("sqlite:///")).exists()
    assert "the same database" in cli.misused("database", "copy", urls[0], urls[0])
    assert "FROM: database.url must begin with" in cli.refused("database", "copy", "mysql://x/y", urls[0])
    assert "TO: database.url is not a URL" in cli.refused("database", "copy", urls[0], "jeton.db")


def words_of(command: str, urls: tuple[str, str], folder: Path) -> list[str]:
    users = folder / "users.jsonl"
    users.write_text("".join(f'{{"username": "user{number}"}}\n' for number in range(450)))
    return {
        "copy": ["database", "copy", *urls],
        "import": ["user", "import", str(users)],
        "verify": ["audit", "verify"],
        "export": ["audit", "export"],
    }[command]


def read_all(descriptor: int) -> bytes:
    """Return everything written to a pipe or terminal whose other end is closed."""
    found = b""
    # The end of a terminal is an error.
    with suppress(OSError):
        while chunk := os.read(descriptor, 4096):
            found += chunk
    os.close(descriptor)
    return found


@pytest.mark.parametrize(
    ("command", "label"),
    [("copy", "Copying"), ("import", "Importing"), ("verify", "Verifying"), ("export", "Exporting")],
)
@pytest.mark.parametrize("on_terminal", [True, False], ids=["terminal", "pipe"])
def test_long_commands_show_progress_on_terminals_only(
    cli: CommandLine, urls: tuple[str, str], tmp_path: Path, command: str, label: str, on_terminal: bool
) -> None:
    cli.json("user", "add", "alice", "--generate-password")
    ours, theirs = pty.openpty() if on_terminal else os.pipe()

    with os.fdopen(theirs, "w") as terminal:
        status, printed, _ = cli.main(*words_of(command, urls, tmp_path), terminal=terminal)
    shown = read_all(ours).decode()

    assert status in (None, 0)
    assert label not in printed
    if on_terminal:
        assert label in shown
        assert "100%" in shown
    else:
        assert shown == ""


NEWEST = max(file.stem.split("_")[0] for file in (migrations() / "versions").glob("*.py"))


def test_first_command_creates_a_sqlite_database_and_says_where(cli: CommandLine, tmp_path: Path) -> None:
    url = "sqlite:///new/jeton.db"
    empty = cli.with_variables(DATABASE__URL=url)

    first = empty.run("user", "list", "--json")
    assert (first.stdout, first.stderr) == ("[]\n", f"jeton: created the database {tmp_path}/new/jeton.db\n")
    assert empty.json("user", "list") == []
    assert empty.json("migrate") == {"database": url, "revision": NEWEST}


def test_migrate_can_be_repeated_and_keeps_the_file_private_to_its_owner(cli: CommandLine, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    empty = cli.with_variables(DATABASE__URL=url)

    assert empty.json("migrate") == {"database": url, "revision": NEWEST}
    assert empty.text("migrate").split() == ["database", url, "revision", NEWEST]
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def on_postgresql(cli: CommandLine, empty_postgresql_url: str) -> Iterator[CommandLine]:
    """Commands on an empty PostgreSQL database. A connection that they leave open fails the test at the end."""
    yield cli.with_variables(DATABASE__URL=empty_postgresql_url)
    gc.collect()


def test_only_migrate_migrates_empty_postgresql_database(on_postgresql: CommandLine) -> None:
    said = on_postgresql.refused("user", "list")
    assert "is empty" in said
    assert "run `jeton migrate`" in said

    assert on_postgresql.json("migrate")["revision"] == NEWEST
    assert on_postgresql.json("user", "list") == []
