"""Migrations: up to the newest schema, safely when several processes try at once."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from alembic import command
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
        _check_encoding(connection)
        if not database.on_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        if _revision(connection) not in (None, *_known_revisions()):
            raise _too_new()
        command.upgrade(_config(connection), "head")
    return _newest_revision()


def bring_up_to_date(database: Database) -> None:
    """SQLite migrates itself. PostgreSQL is only looked at: an operator decides when a shared schema changes."""
    with database.read() as connection:
        _check_encoding(connection)
        revision = _revision(connection)
    if revision == _newest_revision():
        return
    if database.on_sqlite:
        migrate(database)
    elif revision in (None, *_known_revisions()):
        found = "is empty" if revision is None else f"is at revision {revision}"
        raise SchemaError(
            f"the database {found}, this version needs {_newest_revision()}: run `jeton migrate`, then start again"
        )
    else:
        raise _too_new()


def _check_encoding(connection: Connection) -> None:
    """SQLite holds any text. PostgreSQL does in UTF8 only: elsewhere a name fails at the login of whoever has it."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise SchemaError(
            f"the database's encoding is {encoding}: create it with ENCODING 'UTF8' (createdb -E UTF8 -T template0)"
        )


def _too_new() -> SchemaError:
    return SchemaError("the database was migrated by a newer version of Jeton: install that version or a later one")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def _newest_revision() -> str:
    head = _scripts().get_current_head()
    assert head is not None
    return head


@cache
def _known_revisions() -> tuple[str, ...]:
    return tuple(script.revision for script in _scripts().walk_revisions())
