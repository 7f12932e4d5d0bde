"""Real lock contention: another connection holds a lock until the servers under test are seen to wait for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, TextClause, create_engine, event, text

from jeton.storage.database import Database
from support.in_process_server import Running

T = TypeVar("T")
Nodes = tuple[Running, Running]

_TIMEOUT_SECONDS: Final = 10
_WAITING: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_OURS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'jeton'"
)
_DEADLOCKS: Final = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
# Servers stop waiting for a lock after 100 ms; by default, PostgreSQL looks for a deadlock after a second.
_DETECT_DEADLOCKS: Final = text(
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 10', current_database()); END $$"
)
_MIGRATING: Final = text("SELECT pg_advisory_xact_lock(7461000)")
_ROWS: Final = {
    "family": text("SELECT 1 FROM families WHERE sid = :key FOR UPDATE"),
    "user": text("SELECT 1 FROM users WHERE sub = :key FOR UPDATE"),
    "client": text("SELECT 1 FROM clients WHERE client_id = :key FOR UPDATE"),
    "bucket": text("SELECT 1 FROM throttle_buckets WHERE key = :key FOR UPDATE"),
}


async def until(condition: Any, what: str, seconds: float = _TIMEOUT_SECONDS) -> None:
    """Wait until `condition()` is true, checking every 2 milliseconds. Fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} seconds: {what}"
        await asyncio.sleep(0.002)


class PostgresqlContention:
    """A connection that holds locks, and another one that counts waiters in pg_stat_activity."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        self._watching = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._watching.execute(_DETECT_DEADLOCKS)
        self._deadlocks_before = self._counted_deadlocks()

    def waiting_connections(self) -> int:
        """Return the number of connections that are waiting for a lock."""
        return int(self._watching.execute(_WAITING).scalar_one())

    def open_connections(self) -> int:
        """Return the number of connections of servers and commands."""
        return int(self._watching.execute(_OURS).scalar_one())

    @asynccontextmanager
    async def locked_row(self, row: str, *keys: str | bytes) -> AsyncIterator[Connection]:
        """Hold the lock of this row, or of several, until the end of the block."""
        with self._engine.connect() as connection, connection.begin():
            for key in keys:
                self.lock_row(connection, row, key)
            yield connection

    def lock_row(self, connection: Connection, row: str, key: str | bytes) -> None:
        """Lock this row too, waiting for it if another connection holds it."""
        assert connection.execute(_ROWS[row], {"key": key}).all(), f"there is no {row} to hold"

    def locked_migrations(self) -> AbstractContextManager[None]:
        """Hold the lock that lets one process at a time migrate."""
        return self._locked(_MIGRATING)

    def locked_tables(self, tables: str, *, readers: bool = False) -> AbstractContextManager[None]:
        """Lock tables against writers, or against readers too."""
        return self._locked(text(f"LOCK TABLE {tables} IN {'ACCESS EXCLUSIVE' if readers else 'SHARE'} MODE"))

    @contextmanager
    def _locked(self, lock: TextClause) -> Iterator[None]:
        with self._engine.connect() as connection, connection.begin():
            connection.execute(lock)
            yield

    async def race(self, row: str, key: str, *runners: Awaitable[T], servers: int = 2) -> list[T]:
        """Run the awaitables while the row is locked. Unlock it when so many connections wait for it."""
        async with self.locked_row(row, key):
            running = [asyncio.ensure_future(runner) for runner in runners]
            await until(lambda: self.waiting_connections() >= servers, f"{servers} connections waiting for one lock")
        return await asyncio.gather(*running)

    async def deadlocks(self) -> int:
        """Return the number of deadlocks since the start, after all connections of servers have closed.

        PostgreSQL counts the deadlocks of a connection when it closes.
        """
        await until(lambda: self.open_connections() == 0, "the servers' connections closed")
        return self._counted_deadlocks() - self._deadlocks_before

    def _counted_deadlocks(self) -> int:
        return int(self._watching.execute(_DEADLOCKS).scalar_one())

    def close(self) -> None:
        self._watching.close()
        self._engine.dispose()


class SqliteContention:
    """Contention in SQLite, which has one lock for all writers: each writing transaction waits for it."""

    def __init__(self, url: str, nodes: Nodes) -> None:
        self._database = Database(url)
        self._begun: set[int] = set()
        for number, node in enumerate(nodes):
            self._watch(node.database.engine, number)

    def _watch(self, engine: Engine, number: int) -> None:
        def note(_: Connection, options: dict[str, Any]) -> None:
            if options.get("write"):
                self._begun.add(number)

        event.listen(engine, "set_connection_execution_options", note)

    async def race(self, row: str, key: str, *runners: Awaitable[T], servers: int = 1) -> list[T]:
        """Run the awaitables while nothing can be written. Unlock when so many servers wait; a command is none."""
        with self._database.write():
            self._begun.clear()
            running = [asyncio.ensure_future(runner) for runner in runners]
            await until(lambda: len(self._begun) >= servers, f"{servers} servers waiting for the {row} {key}")
        return await asyncio.gather(*running)

    def close(self) -> None:
        self._database.close()


Contention = PostgresqlContention | SqliteContention


async def race_in_round(number: int, contention: Contention, row: str, key: str, *runners: Awaitable[T]) -> list[T]:
    """Run a race, in odd rounds in reverse order. Return the results in the given order."""
    if number % 2:
        return (await contention.race(row, key, *runners[::-1]))[::-1]
    return await contention.race(row, key, *runners)
