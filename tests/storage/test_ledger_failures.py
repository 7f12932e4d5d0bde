"""The ledger when the database fails it: what was rolled back is tried again, what may be committed never is."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from jeton.oauth.decisions import End
from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import StorageUnavailableError
from jeton.storage.ledger import Entry
from support.in_process_server import running, settings_for
from support.ledger_fixtures import Bench, family, opened
from support.lock_contention import OnPostgresql, until


@contextmanager
def failing_commits(bench: Bench, errors: Sequence[Exception], *, committed: bool = False) -> Iterator[None]:
    """Let the driver's COMMIT raise one error after the other, before or after the real one."""
    dialect: Any = bench.database.engine.dialect
    commit: Callable[[Any], None] = dialect.do_commit
    left = iter(errors)

    def fail(connection: Any) -> None:
        error = next(left, None)
        if error is None or committed:
            commit(connection)
        if error is not None:
            raise error

    dialect.do_commit = fail
    try:
        yield
    finally:
        dialect.do_commit = commit


def lost_connection(bench: Bench) -> Exception:
    """Return what the driver raises if the connection breaks while it waits for the answer to COMMIT."""
    error: Exception = bench.database.engine.dialect.loaded_dbapi.OperationalError("server closed the connection")
    return error


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
@pytest.mark.requirement("C10", "O19")
async def test_a_commit_of_unknown_outcome_is_reported_and_not_repeated(bench: Bench, committed: bool) -> None:
    with failing_commits(bench, [lost_connection(bench)], committed=committed):
        results = await bench.turn_all("abc")
        assert [type(it) for it in results] == [StorageUnavailableError] * 3
        assert (bench.decided, bench.generations()) == (["a", "b", "c"], [int(committed)] * 3)

        assert (await bench.turn("a")).reason == "turned"


ROLLED_BACK = [psycopg.errors.SerializationFailure("rolled back"), psycopg.errors.DeadlockDetected("rolled back")]


@pytest.mark.parametrize("error", ROLLED_BACK, ids=["serialisation failure", "deadlock"])
async def test_a_transaction_that_was_rolled_back_is_tried_three_times(
    postgresql_bench: Bench, error: Exception
) -> None:
    bench = postgresql_bench
    with failing_commits(bench, [error, error]):
        await bench.turn_all("ab")
    assert (bench.decided, bench.generations()) == (["a", "b"] * 3, [1, 1, 0])

    with failing_commits(bench, [error] * 10), pytest.raises(StorageUnavailableError):
        await bench.turn("c")
    assert (bench.decided[6:], bench.generations()) == (["c"] * 3, [1, 1, 0])


async def test_after_a_real_deadlock_the_transaction_is_tried_again(
    postgresql_bench: Bench, locks: OnPostgresql
) -> None:
    async with locks.holding("family", "b") as stranger:
        entering = asyncio.ensure_future(postgresql_bench.turn_all("ab"))
        await until(lambda: locks.waiting() == 1, "the ledger holding a and waiting for b")
        # The ledger waits the longer of the two: it is the one that PostgreSQL rolls back.
        await asyncio.to_thread(locks.hold, stranger, "family", "a")
    await entering

    assert postgresql_bench.generations("ab") == [1, 1]


async def test_a_caller_that_is_cancelled_while_its_row_is_locked_changes_nothing(
    postgresql_bench: Bench, locks: OnPostgresql
) -> None:
    async with locks.holding("family", "a"):
        leaving = postgresql_bench.turn("a")
        await until(lambda: locks.waiting() == 1, "the ledger waiting")
        leaving.cancel()
        await asyncio.wait([leaving])
    await postgresql_bench.ledger.enter(opened(family("later")))

    assert leaving.cancelled()
    assert postgresql_bench.generations("a") == [0]


async def test_a_caller_that_is_cancelled_between_decision_and_commit_changes_nothing(
    postgresql_bench: Bench, locks: OnPostgresql
) -> None:
    bench = postgresql_bench
    ended = Entry(lambda facts: End("ended", token=RevokedAccessToken("jti", facts.now + 60)))
    with locks.holding_tables("ended_tokens"):
        leaving, staying = bench.turn("a"), bench.turn("b")
        last = asyncio.ensure_future(bench.ledger.enter(ended))
        await until(lambda: locks.waiting() == 1, "the ledger waiting to write what is decided")
        leaving.cancel()
        await asyncio.wait([leaving])
    await asyncio.gather(staying, last)

    assert bench.decided[:2] == ["a", "b"]
    assert bench.generations("ab") == [0, 1]


@pytest.mark.usefixtures("long_lock_timeouts")
async def test_closing_writes_the_entry_that_waits_for_a_lock(postgresql_bench: Bench, locks: OnPostgresql) -> None:
    async with locks.holding("family", "a"):
        entering = postgresql_bench.turn("a")
        await until(lambda: locks.waiting() == 1, "the ledger waiting")
        closing = asyncio.ensure_future(asyncio.to_thread(postgresql_bench.ledger.close))
        await asyncio.wait([closing], timeout=0.1)
        assert not closing.done()
    await closing

    assert (await entering).reason == "turned"
    assert postgresql_bench.generations("a") == [1]


@pytest.mark.usefixtures("long_lock_timeouts")
async def test_a_server_that_stops_while_it_reads_leaves_no_connection_open(
    postgresql_url: str, locks: OnPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.maintenance._REFRESH_SECONDS", 0)
    server = running(settings_for(postgresql_url))
    await server.__aenter__()
    with locks.holding_tables("signing_keys", readers=True):
        await until(lambda: locks.waiting() == 1, "a refresh of the keys waiting")
        stopping = asyncio.ensure_future(server.__aexit__(None, None, None))
        await asyncio.wait([stopping], timeout=0.1)
    await stopping

    await until(lambda: locks.connected() == 0, "all connections closed")
