"""Servers, and ledgers by themselves, on one database, each with its own threads and connections."""

from collections.abc import AsyncIterator, Iterator

import pytest

from contention import Contention, OnPostgresql, OnSqlite
from ledger_bench import Bench, bench_over
from running import Running, running, settings_for

Nodes = tuple[Running, Running]


@pytest.fixture
async def nodes(database_url: str) -> AsyncIterator[Nodes]:
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
