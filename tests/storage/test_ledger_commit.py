"""The ledger when the database fails it: what was undone is tried again, what may have been done never is."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from jeton.oauth.decisions import End
from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import StorageUnavailableError
from jeton.storage.ledger import Entry
from support.ledger_fixtures import Bench, bench_over, family, opened
from support.lock_contention import OnPostgresql, until


class FailingCommits:
    """Stands in for the driver's COMMIT of one database: raises what it is told to, before or after the real one."""

    def __init__(self, bench: Bench, errors: list[Exception], *, committed: bool) -> None:
        self._dialect: Any = bench.database.engine.dialect
        self._commit: Callable[[Any], None] = self._dialect.do_commit
        self._errors = iter(errors)
        self._committed = committed

    def __enter__(self) -> None:
        self._dialect.do_commit = self._fail

    def __exit__(self, *_: object) -> None:
        self._dialect.do_commit = self._commit

    def _fail(self, connection: Any) -> None:
        error = next(self._errors, None)
        if error is None or self._committed:
            self._commit(connection)
        if error is not None:
            raise error


def lost_connection(bench: Bench) -> Exception:
    """What the driver raises when the connection breaks while it waits for the answer to COMMIT."""
    error: Exception = bench.database.engine.dialect.loaded_dbapi.OperationalError("server closed the connection")
    return error


@pytest.mark.parametrize("committed", [True, False], ids=["was done", "was not done"])
@pytest.mark.requirement("C10", "O19")
async def test_a_commit_of_unknown_outcome_is_reported_and_not_repeated(bench: Bench, committed: bool) -> None:
    with FailingCommits(bench, [lost_connection(bench)], committed=committed):
        results = await asyncio.gather(
            *(bench.ledger.enter(bench.turned(sid)) for sid in "abc"), return_exceptions=True
        )

    assert [type(it) for it in results] == [StorageUnavailableError] * 3
    assert bench.decided == ["a", "b", "c"]
    assert [bench.generation(sid) for sid in "abc"] == [int(committed)] * 3


async def test_the_ledger_goes_on_after_a_failed_commit(bench: Bench) -> None:
    with FailingCommits(bench, [lost_connection(bench)], committed=False):
        with pytest.raises(StorageUnavailableError):
            await bench.ledger.enter(bench.turned("a"))

        assert (await bench.ledger.enter(bench.turned("a"))).reason == "turned"


UNDONE = pytest.mark.parametrize(
    "error",
    [psycopg.errors.SerializationFailure("undone"), psycopg.errors.DeadlockDetected("undone")],
    ids=["serialisation failure", "deadlock"],
)


@UNDONE
async def test_a_transaction_that_the_database_undid_is_tried_again(postgresql_url: str, error: Exception) -> None:
    async with bench_over(postgresql_url) as bench:
        with FailingCommits(bench, [error, error], committed=False):
            decisions = await asyncio.gather(*(bench.ledger.enter(bench.turned(sid)) for sid in "ab"))

        assert [it.reason for it in decisions] == ["turned", "turned"]
        assert bench.decided == ["a", "b"] * 3
        assert [bench.generation(sid) for sid in "ab"] == [1, 1]


@UNDONE
async def test_a_transaction_that_is_undone_again_and_again_is_given_up(postgresql_url: str, error: Exception) -> None:
    async with bench_over(postgresql_url) as bench:
        with FailingCommits(bench, [error] * 10, committed=False), pytest.raises(StorageUnavailableError):
            await bench.ledger.enter(bench.turned("a"))

        assert (len(bench.decided), bench.generation("a")) == (3, 0)


@pytest.fixture
def third(postgresql_url: str) -> Iterator[OnPostgresql]:
    contention = OnPostgresql(postgresql_url)
    yield contention
    contention.close()


async def test_a_real_deadlock_with_a_stranger_is_tried_again(postgresql_url: str, third: OnPostgresql) -> None:
    async with bench_over(postgresql_url) as bench:
        async with third.holding("family", "b") as stranger:
            entering = asyncio.gather(*(bench.ledger.enter(bench.turned(sid)) for sid in "ab"))
            await until(lambda: third.waiting() == 1, "the ledger holding a and waiting for b")
            # The ledger waits the longer of the two: it is the one that PostgreSQL undoes.
            await asyncio.to_thread(third.hold, stranger, "family", "a")
        decisions = await entering

        assert [it.reason for it in decisions] == ["turned", "turned"]
        assert [bench.generation(sid) for sid in "ab"] == [1, 1]


async def test_a_family_that_somebody_keeps_locked_stops_nobody_else(postgresql_url: str, third: OnPostgresql) -> None:
    async with bench_over(postgresql_url) as bench:
        async with third.holding("family", "b"):
            results = await asyncio.gather(
                *(bench.ledger.enter(bench.turned(sid)) for sid in "abc"), return_exceptions=True
            )

        assert isinstance(results[1], StorageUnavailableError)
        assert [bench.generation(sid) for sid in "abc"] == [1, 0, 1]


async def test_a_caller_who_gave_up_while_the_database_kept_him_waiting_changes_nothing(
    postgresql_url: str, third: OnPostgresql
) -> None:
    async with bench_over(postgresql_url) as bench:
        async with third.holding("family", "a"):
            leaving = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
            await until(lambda: third.waiting() == 1, "the ledger waiting")
            leaving.cancel()
            await asyncio.wait([leaving])
        await bench.ledger.enter(opened(family("later")))

        assert leaving.cancelled()
        assert bench.generation("a") == 0


async def test_a_caller_who_gave_up_between_the_decision_and_the_commit_changes_nothing(
    postgresql_url: str, third: OnPostgresql
) -> None:
    async with bench_over(postgresql_url) as bench:
        ended = Entry(lambda facts: End("ended", token=RevokedAccessToken("jti", facts.now + 60)))
        with third.holding_ended_tokens():
            leaving, staying = (asyncio.ensure_future(bench.ledger.enter(bench.turned(sid))) for sid in "ab")
            last = asyncio.ensure_future(bench.ledger.enter(ended))
            await until(lambda: third.waiting() == 1, "the ledger waiting to write what is decided")
            leaving.cancel()
            await asyncio.wait([leaving])
        await asyncio.gather(staying, last)

        assert bench.decided[:2] == ["a", "b"]
        assert [bench.generation(sid) for sid in "ab"] == [0, 1]


async def test_a_database_that_only_reads_is_one_that_is_away(postgresql_url: str) -> None:
    """What an application sees that is still connected to the former primary after a fail-over."""
    async with bench_over(postgresql_url) as bench:
        with bench.database.write() as connection:
            name = connection.engine.url.database
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        bench.database.engine.dispose()

        with pytest.raises(StorageUnavailableError):
            await bench.ledger.enter(bench.turned("a"))

        assert bench.generation("a") == 0


async def test_nothing_is_decided_in_the_thread_of_the_event_loop(bench: Bench) -> None:
    threads: set[int] = set()
    entry = bench.turned("a")
    decide = entry.decide

    def note(facts: Any) -> Any:
        threads.add(threading.get_ident())
        return decide(facts)

    await bench.ledger.enter(type(entry)(note, entry.locks))

    assert threads
    assert threading.get_ident() not in threads
