"""Servers on one database, and ledgers without a server, each with its own threads and connections."""

from collections.abc import AsyncIterator, Iterator

import pytest

from jeton.storage import database as database_module
from jeton.storage import row_lock_batches
from jeton.storage.database import Database
from support.in_process_server import running, settings_for
from support.ledger_fixtures import LedgerHarness, ledger_harness
from support.lock_contention import Contention, Nodes, PostgresqlContention, SqliteContention


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, serving=True)
    yield opened
    opened.close()


@pytest.fixture
async def harness(database_url: str) -> AsyncIterator[LedgerHarness]:
    async with ledger_harness(database_url) as prepared:
        yield prepared


@pytest.fixture
async def postgresql_harness(postgresql_url: str) -> AsyncIterator[LedgerHarness]:
    async with ledger_harness(postgresql_url) as prepared:
        yield prepared


@pytest.fixture
def locks(postgresql_url: str) -> Iterator[PostgresqlContention]:
    """Locks held by another connection, and the number of connections that wait for them."""
    third = PostgresqlContention(postgresql_url)
    yield third
    third.close()


@pytest.fixture
def long_lock_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits for locks time out only after 20 seconds, because some tests need time while a lock is held."""
    monkeypatch.setitem(database_module._SERVING_SETTINGS, "statement_timeout", "20000")
    monkeypatch.setattr(database_module, "_LOCK_TIMEOUT_MS", 20_000)
    monkeypatch.setattr(row_lock_batches, "MAX_WAIT_SECONDS", 20)


@pytest.fixture
async def nodes(request: pytest.FixtureRequest, database_url: str, long_lock_timeouts: None) -> AsyncIterator[Nodes]:
    """Two servers that share only the database, with the module's `SETTINGS` if it has any."""
    settings = settings_for(database_url, **getattr(request.module, "SETTINGS", {}))
    async with running(settings) as first, running(settings) as second:
        yield first, second


@pytest.fixture
def contention(database_url: str, nodes: Nodes) -> Iterator[Contention]:
    third = (
        SqliteContention(database_url, nodes)
        if database_url.startswith("sqlite")
        else PostgresqlContention(database_url)
    )
    yield third
    third.close()
