"""PgBouncer between Jeton and PostgreSQL: it works in transaction mode, and is refused in statement mode."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.migrate import migrate
from support.pgbouncer import pgbouncer
from support.refresh_load import add_accounts, assert_nothing_lost_or_doubled, refresh_load
from support.server_processes import server_process

pytestmark = pytest.mark.postgresql

Pooled = Callable[[str], str]


@pytest.fixture
def pooled(empty_postgresql_url: str) -> Iterator[Pooled]:
    """A function that returns the URL of an empty database through a pooler in this mode."""
    with ExitStack() as stack:

        def start(mode: str) -> str:
            return stack.enter_context(pgbouncer(empty_postgresql_url, mode))

        yield start


def prepared_statements(connection: Connection) -> int:
    """Return how many statements the session keeps after one has been run many times."""
    for _ in range(10):
        connection.execute(text("SELECT :number"), {"number": 1})
    return int(connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) or 0)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_transaction_has_its_settings_on_every_pooled_connection(pooled: Pooled, mode: str) -> None:
    database = Database(pooled(mode), serving=True)
    names = ("statement_timeout", "lock_timeout", "enable_seqscan", "transaction_isolation")
    for _ in range(3):
        with database.read() as first, database.read() as second:
            for connection in (first, second):
                found = [connection.scalar(text(f"SHOW {name}")) for name in names]
                assert found == ["3s", "2s", "off", "read committed"]
                assert prepared_statements(connection) == 0
    database.close()


def test_only_a_dedicated_connection_keeps_settings_and_prepared_statements(empty_postgresql_url: str) -> None:
    database = Database(empty_postgresql_url, serving=True)
    with database.read() as connection:
        assert prepared_statements(connection) > 0
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "3s"
    with database.write(lock_timeout_ms=100) as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "100ms"
    with database.write() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "2s"
    database.close()


async def test_servers_share_a_pooler_without_an_error(pooled: Pooled, tmp_path: Path) -> None:
    """The servers open more connections than the pooler has, and use everything that a session needs."""
    url = pooled("transaction")
    database = Database(url)
    migrate(database)
    database.close()
    secret = add_accounts(url)
    with server_process(tmp_path, url) as one, server_process(tmp_path, url) as two:
        async with refresh_load([one.url, two.url], secret) as load:
            sessions = await load.log_in(16)
            async with load.running():
                await load.until_answered(10)
                for session in sessions:
                    assert (await load.post("/oauth/introspect", session.token)).status_code == 200
            for session in await load.log_in(4):
                assert (await load.post("/oauth/revoke", session.token)).status_code == 200

    assert load.statuses.keys() == {200}
    assert_nothing_lost_or_doubled(url, sessions)


def test_a_pooler_without_transactions_is_refused_with_one_message(pooled: Pooled) -> None:
    database = Database(pooled("statement"))

    with pytest.raises(StorageUnavailableError, match=r"pool_mode = transaction"):
        migrate(database)
    database.close()
