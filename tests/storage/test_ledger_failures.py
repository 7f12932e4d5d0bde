"""The ledger during database failures: a rolled back transaction is tried again, one that may be committed never is."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from jeton.oauth.decisions import End
from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import StorageUnavailableError
from jeton.storage.ledger.ledger import Entry
from support.in_process_server import running, settings_for
from support.ledger_fixtures import LedgerHarness, family, login_entry
from support.lock_contention import PostgresqlContention, until


@contextmanager
def failing_commits(harness: LedgerHarness, errors: Sequence[Exception], *, committed: bool = False) -> Iterator[None]:
    """Let the driver's COMMIT raise these errors in turn, before or after the actual commit."""
    dialect: Any = harness.database.engine.dialect
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


def lost_connection(harness: LedgerHarness) -> Exception:
    """Return what the driver raises if the connection breaks while it waits for the answer to COMMIT."""
    error: Exception = harness.database.engine.dialect.loaded_dbapi.OperationalError("server closed the connection")
    return error


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
@pytest.mark.requirement("C10", "O19")
async def test_a_commit_of_unknown_outcome_is_reported_and_not_repeated(
    harness: LedgerHarness, committed: bool
) -> None:
    with failing_commits(harness, [lost_connection(harness)], committed=committed):
        results = await harness.rotate_all("abc")
        assert [type(it) for it in results] == [StorageUnavailableError] * 3
        assert (harness.decided, harness.generations()) == (["a", "b", "c"], [int(committed)] * 3)

        assert (await harness.rotate("a")).reason == "rotated"


ROLLED_BACK = [psycopg.errors.SerializationFailure("rolled back"), psycopg.errors.DeadlockDetected("rolled back")]


@pytest.mark.parametrize("error", ROLLED_BACK, ids=["serialisation failure", "deadlock"])
async def test_a_transaction_that_was_rolled_back_is_tried_three_times(
    postgresql_harness: LedgerHarness, error: Exception
) -> None:
    harness = postgresql_harness
    with failing_commits(harness, [error, error]):
        await harness.rotate_all("ab")
    assert (harness.decided, harness.generations()) == (["a", "b"] * 3, [1, 1, 0])

    with failing_commits(harness, [error] * 10), pytest.raises(StorageUnavailableError):
        await harness.rotate("c")
    assert (harness.decided[6:], harness.generations()) == (["c"] * 3, [1, 1, 0])


async def test_after_a_real_deadlock_the_transaction_is_tried_again(
    postgresql_harness: LedgerHarness, locks: PostgresqlContention
) -> None:
    async with locks.locked_row("family", "b") as other_transaction:
        entering = asyncio.ensure_future(postgresql_harness.rotate_all("ab"))
        await until(lambda: locks.waiting_connections() == 1, "the ledger holding a and waiting for b")
        # PostgreSQL rolls the ledger's transaction back, because it has waited longer.
        await asyncio.to_thread(locks.lock_row, other_transaction, "family", "a")
    await entering

    assert postgresql_harness.generations("ab") == [1, 1]


async def test_a_caller_that_is_cancelled_while_its_row_is_locked_changes_nothing(
    postgresql_harness: LedgerHarness, locks: PostgresqlContention
) -> None:
    async with locks.locked_row("family", "a"):
        leaving = postgresql_harness.rotate("a")
        await until(lambda: locks.waiting_connections() == 1, "the ledger waiting")
        leaving.cancel()
        await asyncio.wait([leaving])
    await postgresql_harness.ledger.enter(login_entry(family("later")))

    assert leaving.cancelled()
    assert postgresql_harness.generations("a") == [0]


async def test_a_caller_that_is_cancelled_between_decision_and_commit_changes_nothing(
    postgresql_harness: LedgerHarness, locks: PostgresqlContention
) -> None:
    harness = postgresql_harness
    ended = Entry(lambda facts: End("ended", token=RevokedAccessToken("jti", facts.now + 60)))
    with locks.locked_tables("ended_tokens"):
        leaving, staying = harness.rotate("a"), harness.rotate("b")
        last = asyncio.ensure_future(harness.ledger.enter(ended))
        await until(lambda: locks.waiting_connections() == 1, "the ledger waiting to write what is decided")
        leaving.cancel()
        await asyncio.wait([leaving])
    await asyncio.gather(staying, last)

    assert harness.decided[:2] == ["a", "b"]
    assert harness.generations("ab") == [0, 1]


@pytest.mark.usefixtures("long_lock_timeouts")
async def test_closing_writes_the_entry_that_waits_for_a_lock(
    postgresql_harness: LedgerHarness, locks: PostgresqlContention
) -> None:
    async with locks.locked_row("family", "a"):
        entering = postgresql_harness.rotate("a")
        await until(lambda: locks.waiting_connections() == 1, "the ledger waiting")
        closing = asyncio.ensure_future(asyncio.to_thread(postgresql_harness.ledger.close))
        await asyncio.wait([closing], timeout=0.1)
        assert not closing.done()
    await closing

    assert (await entering).reason == "rotated"
    assert postgresql_harness.generations("a") == [1]


@pytest.mark.usefixtures("long_lock_timeouts")
async def test_a_server_that_stops_while_it_reads_leaves_no_connection_open(
    postgresql_url: str, locks: PostgresqlContention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.maintenance._REFRESH_SECONDS", 0)
    server = running(settings_for(postgresql_url))
    await server.__aenter__()
    with locks.locked_tables("signing_keys", readers=True):
        await until(lambda: locks.waiting_connections() == 1, "a refresh of the keys waiting")
        stopping = asyncio.ensure_future(server.__aexit__(None, None, None))
        await asyncio.wait([stopping], timeout=0.1)
    await stopping

    await until(lambda: locks.open_connections() == 0, "all connections closed")
