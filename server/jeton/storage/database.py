"""Connections: how each database is opened so that no commit is lost and no wait is endless."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.storage.database_errors import describe_database_error, is_denied, sqlstate
from jeton.storage.database_url import DatabaseUrlError, parse_database_url
from jeton.storage.raw_statement import execute_raw

# The timeout first: two servers that start at once may both want to switch to WAL.
_SQLITE_PRAGMAS: Final = ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
# Said with each BEGIN, and true until the transaction ends: a session setting is lost behind a pooler that gives each
# transaction another connection.
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A command that is stopped within a transaction lets go of its locks after so long.
_COMMAND_SETTINGS: Final = "SET LOCAL idle_in_transaction_session_timeout = 60000"
# Index look-ups only: statistics of a small table outlive its growth, and would have it scanned. Where there is no
# index, that makes a scan look so dear that PostgreSQL would compile it: 200 ms for reading three keys.
_SERVING_SETTINGS: Final = (
    "SET LOCAL statement_timeout = 3000; SET LOCAL idle_in_transaction_session_timeout = 5000; "
    "SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
)
# Outlasts PostgreSQL's search for deadlocks (1 s), so that those are found and tried again.
_LOCK_TIMEOUT_MS: Final = 2000
_POSTGRESQL_ARGUMENTS: Final = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "application_name": "jeton",
}
_OUR_ARGUMENTS: Final = {
    "client_encoding": "utf8",
    # A statement prepared on one connection does not exist on the next one behind a pooler, and its plan is that of the
    # table as it once was.
    "prepare_threshold": None,
}
_ROLLED_BACK: Final = frozenset({"40001", "40P01"})
_LOCK_TIMEOUT: Final = "55P03"
_READ_ONLY: Final = "25006"
_READ_ONLY_NOW: Final = text("SHOW transaction_read_only")


class StorageUnavailableError(TemporarilyUnavailableError):
    """The database is away, hung, locked or damaged, or does not allow this.

    Whether anything was written is not known here: do not repeat blindly.
    """


class LockTimeoutError(StorageUnavailableError):
    """Somebody else kept a lock for too long. Nothing was written."""


class Database:
    """One database, opened for a serving process or for a command."""

    def __init__(self, url: str, *, serving: bool = False) -> None:
        self.url = parse_database_url(url)
        self.on_sqlite = self.url.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {}
        if not self.on_sqlite:
            given = self.url.query
            arguments = {name: it for name, it in _POSTGRESQL_ARGUMENTS.items() if name not in given} | _OUR_ARGUMENTS
        self.engine = create_engine(self.url, connect_args=arguments, hide_parameters=True, pool_timeout=2)
        if self.on_sqlite:
            _prepare_sqlite(self.engine)
        else:
            _prepare_postgresql(self.engine, serving=serving)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.url.database) if self.on_sqlite and self.url.database else None

    @contextmanager
    def write(self, *, lock_timeout_ms: int | None = None) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, rolled back on any exception.

        A server on PostgreSQL waits so long for each lock, a command for as long as it takes.
        """
        with self._connection(write=True, lock_timeout_ms=lock_timeout_ms) as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only looks; on SQLite it waits for no writer."""
        with self._connection(write=False) as connection, connection.begin():
            yield connection

    def can_write(self, connection: Connection) -> bool:
        """False on a standby, and where PostgreSQL was made read-only."""
        return self.on_sqlite or connection.execute(_READ_ONLY_NOW).scalar_one() == "off"

    def reconnect(self) -> None:
        """Uses no connection again that is not in use: after a fail-over, new ones may find the new primary."""
        self.engine.dispose()

    @contextmanager
    def _connection(self, **options: Any) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(**options) as connection:
                yield connection
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            if was_rolled_back(error):
                raise
            if sqlstate(error) == _LOCK_TIMEOUT:
                raise LockTimeoutError("somebody else keeps a lock for too long") from error
            if isinstance(error, InternalError) and sqlstate(error) != _READ_ONLY:
                raise
            raise StorageUnavailableError(describe_database_error(error, self.url)) from error
        except DatabaseError as error:
            # What SQLite says of a file that is damaged, or no database at all, has no class of its own.
            if is_denied(error):
                raise StorageUnavailableError(describe_database_error(error, self.url)) from error
            if type(error.orig) is not sqlite3.DatabaseError:
                raise
            raise StorageUnavailableError(f"{self.file}: {error.orig}") from error

    def close(self) -> None:
        self.engine.dispose()


def was_rolled_back(error: BaseException) -> bool:
    """Whether the database itself undid the whole transaction (a deadlock, a serialisation failure)."""
    return sqlstate(error) in _ROLLED_BACK


def _prepare_sqlite(engine: Engine) -> None:
    """WAL and full synchronisation; BEGIN IMMEDIATE, because the driver's own defaults lose updates silently."""
    file = Path(str(engine.url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Created by us, readable by us: SQLite's own files follow the permissions of this one.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DatabaseUrlError(
            f"cannot open {file}: {error.strerror}: database.url must name a file, in a folder, that Jeton may write"
        ) from None

    @event.listens_for(engine, "connect")
    def _(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            dbapi_connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", True)
        execute_raw(connection, lambda cursor: cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN"))


def _prepare_postgresql(engine: Engine, *, serving: bool) -> None:
    """The settings of a transaction come in one message with its BEGIN."""
    settings = _SERVING_SETTINGS if serving else _COMMAND_SETTINGS

    @event.listens_for(engine, "connect")
    def _(dbapi_connection: Any, _record: Any) -> None:
        # The driver begins no transaction by itself.
        dbapi_connection.autocommit = True

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        begin = f"{_BEGIN}; {settings}"
        if serving:
            lock_timeout_ms = connection.get_execution_options().get("lock_timeout_ms") or _LOCK_TIMEOUT_MS
            begin += f"; SET LOCAL lock_timeout = {lock_timeout_ms}"
        execute_raw(connection, lambda cursor: cursor.execute(begin))
