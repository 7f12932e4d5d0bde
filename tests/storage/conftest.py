"""Servers, and ledgers by themselves, on one database, each with its own threads and connections."""

from collections.abc import AsyncIterator, Iterator

import pytest

from jeton.storage import database, row_lock_batches
from support.in_process_server import Running, running, settings_for
from support.ledger_fixtures import Bench, bench_over
from support.lock_contention import Contention, OnPostgresql, OnSqlite

Nodes = tuple[Running, Running]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for locks are cut short at 20 seconds only: a test may take longer to bring about what it looks at."""
    monkeypatch.setitem(database._SERVING_SETTINGS, "statement_timeout", "20000")
    monkeypatch.setattr(database, "_LOCK_TIMEOUT_MS", 20_000)
    monkeypatch.setattr(row_lock_batches, "MAX_WAIT_SECONDS", 20)


@pytest.fixture
async def nodes(database_url: str, patience: None) -> AsyncIterator[Nodes]:
    """Two servers that know nothing of each other but the database."""
    async with running(settings_for(database_url)) as first, running(settings_for(database_url)) as second:
        yield first, second


@pytest.fixture
def contention(database_url: str, nodes: Nodes) -> Iterator[Contention]:
    third = OnSqlite(database_url, nodes) if database_url.startswith("sqlite") else OnPostgresql(database_url)
    yield third
    third.close()


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    async with bench_over(database_url) as prepared:
        yield prepared
