"""Stopping a server: whatever it had under way in the database is finished, and every connection is closed."""

import asyncio
from collections.abc import Iterator

import pytest

from jeton.storage.families import load_families
from support.in_process_server import running, settings_for
from support.ledger_fixtures import bench_over
from support.lock_contention import OnPostgresql, until

pytestmark = [pytest.mark.postgresql, pytest.mark.usefixtures("patience")]


@pytest.fixture
def third(postgresql_url: str) -> Iterator[OnPostgresql]:
    contention = OnPostgresql(postgresql_url)
    yield contention
    contention.close()


async def test_a_look_at_the_database_that_is_under_way_leaves_no_connection_behind(
    postgresql_url: str, third: OnPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.maintenance._REFRESH_SECONDS", 0)
    server = running(settings_for(postgresql_url))
    await server.__aenter__()
    with third.holding_signing_keys():
        await until(lambda: third.waiting() == 1, "a look waiting")
        stopping = asyncio.ensure_future(server.__aexit__(None, None, None))
        await asyncio.wait([stopping], timeout=0.1)
    await stopping

    await until(lambda: third.connected() == 0, "all connections closed")


async def test_an_entry_that_is_under_way_is_written(postgresql_url: str, third: OnPostgresql) -> None:
    async with bench_over(postgresql_url) as bench:
        async with third.holding("family", "a"):
            entering = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
            await until(lambda: third.waiting() == 1, "the ledger waiting")
            closing = asyncio.ensure_future(asyncio.to_thread(bench.ledger.close))
            await asyncio.wait([closing], timeout=0.1)
            assert not closing.done()
        await closing

        assert (await entering).reason == "turned"
        with bench.database.read() as connection:
            assert load_families(connection, ["a"])["a"].generation == 1
    await until(lambda: third.connected() == 0, "all connections closed")
