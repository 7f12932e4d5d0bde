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

from jeton.storage.database_errors import describe_database_error, is_denied, sqlstate
from jeton.storage.database_url import DatabaseUrlError, parse_database_url
from jeton.storage.prepared import drive

# The timeout first: two servers that start at once may both want to switch to WAL.
_SQLITE_PRAGMAS: Final = ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
# Statements prepared while a table is nearly empty keep scanning it when it has grown: index plans only. Where there is
# no index, that makes a scan look so dear that PostgreSQL would compile it: 200 ms for reading three keys.
_SERVING_OPTIONS: Final = (
    # A wait for a lock outlasts PostgreSQL's search for deadlocks (1 s), so that those are found and tried again.
    "-c statement_timeout=3000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=5000 "
    "-c enable_seqscan=off -c jit=off"
)
_POSTGRESQL_ARGUMENTS: Final = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "application_name": "jeton",
}
_ENCODING: Final = {"client_encoding": "utf8"}
_ROLLED_BACK: Final = frozenset({"40001", "40P01"})
_LOCK_TIMEOUT: Final = "55P03"
_READ_ONLY: Final = "25006"
_READ_ONLY_NOW: Final = text("SHOW transaction_read_only")


class StorageUnavailableError(Exception):
    """The database is away, hung, locked or damaged, or does not allow this.

    Whether anything was written is not known here: do not repeat blindly.
    """


class Database:
    """One database, opened for a serving process or for a command."""

    def __init__(self, url: str, *, serving: bool = False) -> None:
        self.url = parse_database_url(url)
        self.on_sqlite = self.url.get_backend_name() == "sqlite"
        given = self.url.query
        arguments: dict[str, Any] = {}
        if not self.on_sqlite:
            arguments = {name: it for name, it in _POSTGRESQL_ARGUMENTS.items() if name not in given} | _ENCODING
        if serving and not self.on_sqlite:
            arguments["options"] = _SERVING_OPTIONS
        self.engine = create_engine(
            self.url,
            connect_args=arguments,
            hide_parameters=True,
            pool_timeout=2,
            **({} if self.on_sqlite else {"isolation_level": "READ COMMITTED"}),
        )
        if self.on_sqlite:
            _prepare_sqlite(self.engine)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.url.database) if self.on_sqlite and self.url.database else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, rolled back on any exception."""
        with self._connection(write=True) as connection, connection.begin():
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
    def _connection(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(write=write) as connection:
                yield connection
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            if was_rolled_back(error) or sqlstate(error) == _LOCK_TIMEOUT:
                raise
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
        drive(connection, lambda cursor: cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN"))
