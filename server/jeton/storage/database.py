"""Database connections, with settings under which no commit is lost and every wait ends."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.observability.metrics import COMMIT_DURATION, DATABASE_ERRORS
from jeton.storage.audit_trail import AUDIT_TRAIL, AuditTrail
from jeton.storage.database_errors import describe_database_error, is_denied, sqlstate
from jeton.storage.database_url import DatabaseUrlError, parse_database_url
from jeton.storage.raw_statement import execute_raw

# The timeout first: two servers that start at the same time may both switch to WAL.
_SQLITE_PRAGMAS: Final = ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A command that is stopped within a transaction releases its locks after this time.
_COMMAND_SETTINGS: Final = {"idle_in_transaction_session_timeout": "60000"}
# Without sequential scans, because the statistics of a small table outlive its growth. A scan that has no index to use
# then looks so expensive that PostgreSQL would compile it, which takes 200 ms even for three rows: hence `jit`.
_SERVING_SETTINGS: Final = {
    "statement_timeout": "3000",
    "idle_in_transaction_session_timeout": "5000",
    "enable_seqscan": "off",
    "jit": "off",
}
# Longer than PostgreSQL's deadlock_timeout (1 s), so that deadlocks are detected and retried.
_LOCK_TIMEOUT_MS: Final = 2000
# Without keepalives, an answer from a machine that has vanished would be awaited for two hours.
_POSTGRESQL_ARGUMENTS: Final = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "application_name": "jeton",
}
_OUR_ARGUMENTS: Final = {
    "client_encoding": "utf8",
    # Behind a pooler, a statement prepared on one connection does not exist on the next one.
    "prepare_threshold": None,
}
# Executions of a statement before it is prepared, on a connection that is PostgreSQL's own.
_PREPARE_THRESHOLD: Final = 5
_ROLLED_BACK: Final = frozenset({"40001", "40P01"})
_LOCK_TIMEOUT: Final = "55P03"
_READ_ONLY: Final = "25006"
_READ_ONLY_NOW: Final = text("SHOW transaction_read_only")


class StorageUnavailableError(TemporarilyUnavailableError):
    """The database is unreachable, hung, locked or damaged, or denies access.

    The transaction may have been committed: do not repeat it blindly.
    """


class LockTimeoutError(StorageUnavailableError):
    """Another transaction kept a lock for too long. Nothing was written."""


class Database:
    """One database, opened for a serving process or for a command.

    `audit_trail` records the events of its transactions; None: nothing is recorded.
    """

    def __init__(self, url: str, *, serving: bool = False) -> None:
        self.url = parse_database_url(url)
        self.on_sqlite = self.url.get_backend_name() == "sqlite"
        self.audit_trail: AuditTrail | None = None
        arguments: dict[str, Any] = {}
        if not self.on_sqlite:
            given = self.url.query
            arguments = {name: it for name, it in _POSTGRESQL_ARGUMENTS.items() if name not in given} | _OUR_ARGUMENTS
        self.engine = create_engine(self.url, connect_args=arguments, hide_parameters=True, pool_timeout=2)
        self._commit_duration = COMMIT_DURATION.labels(self.url.get_backend_name())
        if self.on_sqlite:
            _configure_sqlite(self.engine)
        else:
            _configure_postgresql(self.engine, serving=serving)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.url.database) if self.on_sqlite and self.url.database else None

    @contextmanager
    def write(self, *, lock_timeout_ms: int | None = None) -> Iterator[Connection]:
        """Open a transaction that may write. Commit it at the end; roll it back on any exception.

        On PostgreSQL, a server waits for each lock for `lock_timeout_ms` (default 2000); a command waits without limit.
        """
        trail = self.audit_trail
        if trail is not None:
            trail.begin()
        options = {"write": True, "lock_timeout_ms": lock_timeout_ms, AUDIT_TRAIL: trail}
        with self.connection(**options) as connection:
            with connection.begin():
                yield connection
                began = time.perf_counter()
            self._commit_duration.observe(time.perf_counter() - began)
        if trail is not None:
            trail.committed()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads. On SQLite it waits for no writer."""
        with self.connection(write=False) as connection, connection.begin():
            yield connection

    def can_write(self, connection: Connection) -> bool:
        """Return False on a standby, and if PostgreSQL is set to read-only."""
        return self.on_sqlite or connection.execute(_READ_ONLY_NOW).scalar_one() == "off"

    def reconnect(self) -> None:
        """Close idle connections: after a fail-over, new ones may reach the new primary."""
        self.engine.dispose()

    @contextmanager
    def connection(self, **options: Any) -> Iterator[Connection]:
        """Open a connection without a transaction. Translate the errors of all that is done with it."""
        try:
            with self.engine.connect().execution_options(**options) as connection:
                yield connection
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            _count(error)
            if was_rolled_back(error):
                raise
            if sqlstate(error) == _LOCK_TIMEOUT:
                raise LockTimeoutError("another transaction keeps a lock for too long") from error
            if isinstance(error, InternalError) and sqlstate(error) != _READ_ONLY:
                raise
            raise StorageUnavailableError(describe_database_error(error, self.url)) from error
        except DatabaseError as error:
            # SQLite reports a damaged file, or one that is no database, by the base class alone.
            is_damaged = type(error.orig) is sqlite3.DatabaseError
            if not is_denied(error) and not is_damaged:
                raise
            _count(error)
            if is_denied(error):
                raise StorageUnavailableError(describe_database_error(error, self.url)) from error
            raise StorageUnavailableError(f"{self.file}: {error.orig}") from error

    def close(self) -> None:
        self.engine.dispose()


def _count(error: Exception) -> None:
    """Count a failed transaction by PostgreSQL's code, or else by the kind of exception."""
    DATABASE_ERRORS.labels(sqlstate(error) or type(error).__name__).inc()


def was_rolled_back(error: BaseException) -> bool:
    """Return whether the database rolled back the whole transaction (deadlock, serialisation failure)."""
    return sqlstate(error) in _ROLLED_BACK


def _configure_sqlite(engine: Engine) -> None:
    """Use WAL, full synchronisation and BEGIN IMMEDIATE: with the driver's defaults, updates are lost silently."""
    file = Path(str(engine.url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # SQLite creates its other files with the permissions of this one.
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


def _configure_postgresql(engine: Engine, *, serving: bool) -> None:
    """Set up connections: session settings where they last, settings of each transaction behind a pooler (ADR 0020)."""
    settings = _SERVING_SETTINGS if serving else _COMMAND_SETTINGS
    begin_with_settings = "; ".join([_BEGIN, *(f"SET LOCAL {name} = {value}" for name, value in settings.items())])

    @event.listens_for(engine, "connect")
    def _(dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
        # The driver begins no transaction by itself.
        dbapi_connection.autocommit = True
        record.info["direct"] = serving and _is_direct(dbapi_connection)
        if record.info["direct"]:
            session = {**settings, "lock_timeout": _LOCK_TIMEOUT_MS}
            dbapi_connection.execute("; ".join(f"SET {name} = {value}" for name, value in session.items()))
            dbapi_connection.prepare_threshold = _PREPARE_THRESHOLD

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        direct = connection.info["direct"]
        begin = _BEGIN if direct else begin_with_settings
        lock_timeout_ms = connection.get_execution_options().get("lock_timeout_ms")
        if serving and (lock_timeout_ms or not direct):
            begin += f"; SET LOCAL lock_timeout = {lock_timeout_ms or _LOCK_TIMEOUT_MS}"
        execute_raw(connection, lambda cursor: cursor.execute(begin, prepare=False))


def _is_direct(dbapi_connection: Any) -> bool:
    """Return whether PostgreSQL itself is at the other end, so that the session keeps settings and statements.

    A pooler shares sessions among its clients, and therefore makes up the process id that it tells each of them.
    """
    (backend_pid,) = dbapi_connection.execute("SELECT pg_backend_pid()").fetchone()
    return bool(backend_pid == dbapi_connection.info.backend_pid)
