"""jeton migrate: the schema, and who may change it when."""

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


def test_an_empty_sqlite_database_is_migrated_by_the_first_command(cli: CommandLine, tmp_path: Path) -> None:
    empty = cli.with_variables(DATABASE__URL=f"sqlite:///{tmp_path}/new/jeton.db")

    assert empty.json("user", "list") == []
    assert empty.json("migrate")["revision"] == _newest()


def test_migrating_says_what_and_how_far_and_may_be_repeated(cli: CommandLine, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    empty = cli.with_variables(DATABASE__URL=url)

    assert empty.json("migrate") == empty.json("migrate") == {"database": url, "revision": _newest()}
    assert empty.text("migrate").split() == ["database", url, "revision", _newest()]


def test_the_database_file_is_its_owner_s_alone(cli: CommandLine, tmp_path: Path) -> None:
    cli.with_variables(DATABASE__URL=f"sqlite:///{tmp_path}/new.db").text("migrate")

    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def on_postgresql(cli: CommandLine, empty_postgresql_url: str) -> Iterator[CommandLine]:
    """Commands on a PostgreSQL database without tables; a connection that they leave open is found out at the end."""
    yield cli.with_variables(DATABASE__URL=empty_postgresql_url)
    gc.collect()


def test_an_empty_postgresql_database_is_refused_with_what_to_do(on_postgresql: CommandLine) -> None:
    sentence = on_postgresql.refused("user", "list")

    assert "is empty" in sentence
    assert "run `jeton migrate`" in sentence


def test_a_postgresql_database_is_migrated_when_somebody_says_so(on_postgresql: CommandLine) -> None:
    assert on_postgresql.json("migrate")["revision"] == _newest()
    assert on_postgresql.json("user", "list") == []


@pytest.mark.parametrize("words", [("migrate",), ("user", "list")], ids=["migrate", "user list"])
def test_a_database_of_a_newer_version_is_left_alone(cli: CommandLine, sqlite_url: str, words: tuple[str, ...]) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    assert "newer version of Jeton" in cli.refused(*words)
