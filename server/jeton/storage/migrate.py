"""Migrations: up to the newest schema, safely when several processes try at once."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from jeton.storage.database import Database

# Any number will do, as long as nothing else of ours locks the same.
_LOCK_NUMBER: Final = 7_461_000


class SchemaError(Exception):
    """The database's schema is not the one this version works with. The text says what to do."""


def migrations() -> Path:
    """Inside the wheel, or /alembic in a checkout."""
    packaged = Path(str(files("jeton"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "alembic"


def migrate(database: Database) -> str:
    """Brings the schema up to date; whoever comes second waits, and finds it done. Gives the revision reached."""
    with database.write() as connection:
        _check_database(connection)
        if not database.on_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        if _revision(connection) not in (None, *_known_revisions()):
            raise _too_new()
        _upgrade(connection)
    return _known_revisions()[-1]


def bring_up_to_date(database: Database) -> None:
    """SQLite migrates itself. PostgreSQL is only looked at: an operator decides when a shared schema changes."""
    with database.read() as connection:
        _check_database(connection)
        revision = _revision(connection)
    known = _known_revisions()
    if revision == known[-1]:
        return
    if database.on_sqlite:
        migrate(database)
    elif revision in (None, *known):
        found = "is empty" if revision is None else f"is at revision {revision}"
        raise SchemaError(
            f"the database {found}, this version needs {known[-1]}: run `jeton migrate`, then start again"
        )
    else:
        raise _too_new()


def _check_database(connection: Connection) -> None:
    """Raise SchemaError if PostgreSQL holds less than any text, or if Jeton's role may use no schema."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise SchemaError(
            f"the database's encoding is {encoding}: create it with ENCODING 'UTF8' (createdb -E UTF8 -T template0)"
        )
    if connection.scalar(text("SELECT current_schema()")) is None:
        raise SchemaError(
            "Jeton's role may use no schema of its search_path: "
            "the database's owner must GRANT USAGE ON SCHEMA public to it (and CREATE, to migrate)"
        )


def _too_new() -> SchemaError:
    return SchemaError("the database was migrated by a newer version of Jeton: install that version or a later one")


def _upgrade(connection: Connection) -> None:
    # Late: to load Alembic takes longer than a whole command on a database that is up to date.
    from alembic.config import Config

    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """Where Alembic keeps it; None in a database without any."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


@cache
def _known_revisions() -> tuple[str, ...]:
    """The history is one line, and each file in it is named by its revision: the newest comes last."""
    return tuple(sorted(file.stem.partition("_")[0] for file in (migrations() / "versions").glob("*.py")))
