"""Exclusive use of a whole database by a command: no server uses it, and nothing else changes it (ADR 0039)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from jeton.storage.advisory_locks import AdvisoryLock, try_acquire
from jeton.storage.database import Database
from jeton.storage.database_url import mask_database_url
from jeton.storage.raw_statement import execute_raw
from jeton.storage.tables import metadata

# Every server writes this row (write_probe.py), which gives it another version: at the first refresh of its shared
# state after five seconds. From one refresh to the next pass two seconds, and what it takes itself.
_ROW_VERSION: Final = text("SELECT xmin::text FROM status_counter")
_OBSERVED_SECONDS: Final = 10.0
_LOCK_TABLES: Final = text(f"LOCK TABLE {', '.join(sorted(metadata.tables))} IN SHARE MODE")
_SETTINGS: Final = text("SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = 5000")


class DatabaseInUseError(Exception):
    """A server or another command uses the database. The text says what to do."""

    def __init__(self, database: Database) -> None:
        shown = mask_database_url(database.url.render_as_string(hide_password=False))
        super().__init__(f"{shown} is in use: stop all servers and commands that use it, then try again")


@contextmanager
def exclusive_use(database: Database, wait: Callable[[float], None], *, keep_rows: bool) -> Iterator[Connection]:
    """Yield a connection, without a transaction, that is the only one to use the database until the block ends.

    `keep_rows` is for a database that is only read: on PostgreSQL, others then cannot write. Raise DatabaseInUseError
    if a server or another such command uses the database. On PostgreSQL, `wait` is called with the seconds in which
    servers are noticed.
    """
    if database.on_sqlite:
        with _only_connection(database) as connection:
            yield connection
        return
    with _reservation(database, wait, keep_rows=keep_rows), database.connection() as connection:
        yield connection


@contextmanager
def _only_connection(database: Database) -> Iterator[Connection]:
    """Yield a connection to an SQLite file that no other process has open, or can open until the block ends."""
    # No other of this process either.
    database.reconnect()
    with database.connection() as connection:
        execute_raw(connection, lambda cursor: cursor.execute("PRAGMA locking_mode=EXCLUSIVE"))
        # So that it is closed at the end, and not kept by the pool.
        connection.detach()
        try:
            # Takes the lock, which is then kept.
            with connection.begin():
                pass
        except OperationalError as error:
            if "locked" not in str(error.orig):
                raise
            raise DatabaseInUseError(database) from None
        yield connection


@contextmanager
def _reservation(database: Database, wait: Callable[[float], None], *, keep_rows: bool) -> Iterator[None]:
    """Hold a transaction on PostgreSQL that keeps other such commands away, and writers if `keep_rows`.

    An advisory lock of the transaction, because one of the session is lost behind a pooler.
    """
    with database.connection() as connection, connection.begin():
        connection.execute(_SETTINGS)
        if not try_acquire(connection, AdvisoryLock.WHOLE_DATABASE):
            raise DatabaseInUseError(database)
        before = connection.execute(_ROW_VERSION).scalars().all()
        wait(_OBSERVED_SECONDS)
        if connection.execute(_ROW_VERSION).scalars().all() != before:
            raise DatabaseInUseError(database)
        if keep_rows:
            connection.execute(_LOCK_TABLES)
        yield
