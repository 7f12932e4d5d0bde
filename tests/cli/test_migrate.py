"""jeton migrate: which command changes the schema, and when."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from jeton.storage.database import Database
from jeton.storage.migrate import migrations
from support.cli_runner import CommandLine

NEWEST = max(file.stem.split("_")[0] for file in (migrations() / "versions").glob("*.py"))


def test_first_command_migrates_empty_sqlite_database(cli: CommandLine, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/jeton.db"
    empty = cli.with_variables(DATABASE__URL=url)

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


def test_database_of_newer_version_is_refused(cli: CommandLine, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    assert "newer version of Jeton" in cli.refused("migrate")
    assert "newer version of Jeton" in cli.refused("user", "list")
