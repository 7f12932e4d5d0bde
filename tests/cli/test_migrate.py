"""jeton migrate: which command changes the schema, and when."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from jeton.storage.database import Database
from jeton.storage.migrate import migrations
from support.cli_runner import CommandLine


def _newest() -> str:
    return max(file.stem.split("_")[0] for file in (migrations() / "versions").glob("*.py"))


def test_first_command_migrates_empty_sqlite_database(cli: CommandLine, tmp_path: Path) -> None:
    empty = cli.with_variables(DATABASE__URL=f"sqlite:///{tmp_path}/new/jeton.db")

    assert empty.json("user", "list") == []
    assert empty.json("migrate")["revision"] == _newest()


def test_migrate_prints_database_and_revision_and_can_be_repeated(cli: CommandLine, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    empty = cli.with_variables(DATABASE__URL=url)

    assert empty.json("migrate") == empty.json("migrate") == {"database": url, "revision": _newest()}
    assert empty.text("migrate").split() == ["database", url, "revision", _newest()]


def test_database_file_is_private_to_its_owner(cli: CommandLine, tmp_path: Path) -> None:
    cli.with_variables(DATABASE__URL=f"sqlite:///{tmp_path}/new.db").text("migrate")

    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def on_postgresql(cli: CommandLine, empty_postgresql_url: str) -> Iterator[CommandLine]:
    """Commands on an empty PostgreSQL database. A connection that they leave open fails the test at the end."""
    yield cli.with_variables(DATABASE__URL=empty_postgresql_url)
    gc.collect()


def test_empty_postgresql_database_is_refused_with_advice(on_postgresql: CommandLine) -> None:
    sentence = on_postgresql.refused("user", "list")

    assert "is empty" in sentence
    assert "run `jeton migrate`" in sentence


def test_migrate_migrates_postgresql_database(on_postgresql: CommandLine) -> None:
    assert on_postgresql.json("migrate")["revision"] == _newest()
    assert on_postgresql.json("user", "list") == []


@pytest.mark.parametrize("words", [("migrate",), ("user", "list")], ids=["migrate", "user list"])
def test_database_of_newer_version_is_not_changed(cli: CommandLine, sqlite_url: str, words: tuple[str, ...]) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    assert "newer version of Jeton" in cli.refused(*words)
