"""Migrations to the newest schema, safe if several processes run them at the same time."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from jeton.storage.advisory_locks import AdvisoryLock, acquire
from jeton.storage.database import Database, LockTimeoutError

# For each lock on a table. While a migration waits for one, all requests that need the table wait behind it: less than
# their own limit (`statement_timeout`), so that a backup in progress ends the migration and not the service.
_LOCK_TIMEOUT_MS: Final = 2000
# Before the revision, while the rows of another database are being copied into this one.
_COPYING: Final = "copying-"


class SchemaError(Exception):
    """The database's schema is not the one this version works with. The text says what to do."""


def migrations() -> Path:
    """Return the folder of migrations: in the package, or alembic/ in a checkout."""
    packaged = Path(str(files("jeton"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "alembic"


def migrate(database: Database) -> str:
    """Upgrade the schema and return its revision. A second process waits, and then has nothing to do.

    Raise SchemaError, with nothing changed, if that is not possible now.
    """
    try:
        with database.write() as connection:
            _check_database(connection)
            acquire(connection, AdvisoryLock.MIGRATION)
            if not database.on_sqlite:
                connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
            _require_known(_revision(connection))
            _upgrade(connection)
    except LockTimeoutError:
        raise SchemaError(
            "another transaction keeps a table locked, perhaps a backup: nothing was changed,"
            " run `jeton migrate` again when it has ended"
        ) from None
    return _known_revisions()[-1]


def bring_up_to_date(database: Database) -> None:
    """Migrate SQLite. On PostgreSQL, where operators decide, raise SchemaError if the schema is not current."""
    if not database.on_sqlite:
        check_schema(database)
        return
    with database.read() as connection:
        revision = _revision(connection)
    if revision != _known_revisions()[-1]:
        migrate(database)


def check_schema(database: Database) -> str:
    """Return the revision of the schema. Raise SchemaError if it is not the one that this version works with."""
    with database.read() as connection:
        _check_database(connection)
        revision = _revision(connection)
    known = _known_revisions()
    if revision == known[-1]:
        return known[-1]
    _require_known(revision)
    found = "is empty" if revision is None else f"is at revision {revision}"
    raise SchemaError(f"the database {found}, this version needs {known[-1]}: run `jeton migrate`, then start again")


def is_copy_begun(connection: Connection) -> bool:
    """Return whether rows are being copied into this database, or were until the copy stopped."""
    return _revision(connection) == _COPYING + _known_revisions()[-1]


def begin_copy(connection: Connection) -> None:
    """Let no server start on this database, which is migrated, until `end_copy`."""
    _set_revision(connection, _COPYING + _known_revisions()[-1])


def end_copy(connection: Connection) -> None:
    """Let servers start on this database again."""
    _set_revision(connection, _known_revisions()[-1])


def _set_revision(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def _check_database(connection: Connection) -> None:
    """Raise SchemaError if PostgreSQL's encoding is not UTF-8, or if Jeton's role may use no schema."""
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


def _require_known(revision: str | None) -> None:
    """Raise SchemaError if the schema is that of a newer version, or if a copy into the database is not complete."""
    if revision is not None and revision.startswith(_COPYING):
        raise SchemaError(
            "the copy into this database is not complete: repeat `jeton database copy`, with the same version of Jeton"
        )
    if revision not in (None, *_known_revisions()):
        raise SchemaError("the database was migrated by a newer version of Jeton: install that version or a later one")


def _upgrade(connection: Connection) -> None:
    # Imported late: loading Alembic takes longer than a whole command on a database that is up to date.
    from alembic.config import Config

    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """Return the revision that Alembic has recorded, or None in a database without one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


@cache
def _known_revisions() -> tuple[str, ...]:
    """Return all revisions, newest last: the history is linear, and each file is named by its revision."""
    return tuple(sorted(file.stem.partition("_")[0] for file in (migrations() / "versions").glob("*.py")))
