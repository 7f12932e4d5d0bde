"""The ledger: many requests, one transaction; what touches one request is kept to it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from jeton.oauth.decisions import End, Issue
from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import StorageUnavailableError
from jeton.storage.families import load_families
from jeton.storage.ledger import Entry, Facts
from jeton.storage.lock_requests import LockFamily, LockUser
from jeton.storage.users import load_users
from support.ledger_fixtures import CLIENT, USER, Bench, bench_over, family, opened


async def test_what_comes_together_is_one_transaction(bench: Bench) -> None:
    decisions = await asyncio.gather(
        *(bench.ledger.enter(bench.turned(sid)) for sid in "abc"),
        *(bench.ledger.enter(opened(family(f"new {number}"))) for number in range(50)),
    )

    assert [it.reason for it in decisions] == ["turned"] * 3 + ["opened"] * 50
    assert bench.commits == 1
    with bench.database.read() as connection:
        assert len(load_families(connection, [f"new {number}" for number in range(50)])) == 50


async def test_what_comes_while_one_transaction_runs_is_the_next_one(bench: Bench) -> None:
    first = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
    while not bench.decided:
        await asyncio.sleep(0)
    await asyncio.gather(first, *(bench.ledger.enter(bench.turned("b")) for _ in range(20)))

    assert (bench.commits, bench.generation("a"), bench.generation("b")) == (2, 1, 20)


async def test_an_entry_sees_what_the_one_before_it_made_of_the_family(bench: Bench) -> None:
    decisions = await asyncio.gather(*(bench.ledger.enter(bench.turned("a")) for _ in range(5)))

    assert [it.family.generation for it in decisions if it.family] == [1, 2, 3, 4, 5]
    assert (bench.commits, bench.generation("a")) == (1, 5)


async def test_an_entry_for_nothing_that_exists_is_decided_on_nothing(bench: Bench) -> None:
    facts: list[Facts] = []

    def decide(found: Facts) -> End:
        facts.append(found)
        return End("nothing")

    await asyncio.gather(
        bench.ledger.enter(Entry(decide, (LockFamily("unknown"),))),
        bench.ledger.enter(Entry(decide, (LockUser("unknown"),))),
    )

    assert [(it.family, it.user) for it in facts] == [(None, None)] * 2


async def test_an_exception_in_one_decision_is_its_own_callers_only(bench: Bench) -> None:
    def fail(_: Facts) -> End:
        raise LookupError("a defect")

    results = await asyncio.gather(
        bench.ledger.enter(bench.turned("a")),
        bench.ledger.enter(Entry(fail, (LockFamily("b"),))),
        bench.ledger.enter(bench.turned("c")),
        return_exceptions=True,
    )

    assert isinstance(results[1], LookupError)
    assert [bench.generation(sid) for sid in "abc"] == [1, 0, 1]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(opened(family("new", client_id="deleted")), id="of a client deleted meanwhile"),
        pytest.param(opened(family("new", sub="deleted")), id="of a user deleted meanwhile"),
    ],
)
async def test_what_the_database_refuses_of_one_entry_is_temporary_for_it_and_nothing_to_the_others(
    bench: Bench, entry: Entry[Issue]
) -> None:
    results = await asyncio.gather(
        bench.ledger.enter(bench.turned("a")),
        bench.ledger.enter(entry),
        bench.ledger.enter(bench.turned("a")),
        return_exceptions=True,
    )

    assert isinstance(results[1], StorageUnavailableError)
    assert bench.generation("a") == 2


async def test_text_that_the_database_cannot_store_stops_only_its_own_request(postgresql_url: str) -> None:
    async with bench_over(postgresql_url) as bench:
        results = await asyncio.gather(
            bench.ledger.enter(bench.turned("a")),
            bench.ledger.enter(opened(family("new", last_user_agent="\0"))),
            return_exceptions=True,
        )

        assert isinstance(results[1], Exception)
        assert bench.generation("a") == 1


async def test_a_caller_who_gave_up_before_his_turn_changes_nothing(bench: Bench) -> None:
    staying = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
    leaving = asyncio.ensure_future(bench.ledger.enter(bench.turned("b")))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying

    assert (bench.decided, bench.generation("b")) == (["a"], 0)


async def test_an_access_token_ended_twice_stays_ended(bench: Bench) -> None:
    ended = Entry(lambda facts: End("ended", token=RevokedAccessToken("jti", facts.now + 60)))

    await asyncio.gather(bench.ledger.enter(ended), bench.ledger.enter(ended))

    assert (await bench.ledger.enter(ended)).reason == "ended"


async def test_a_rehashed_password_is_stored_with_the_login_that_made_it(bench: Bench) -> None:
    new = family("new")
    decide: Callable[[Facts], Issue] = lambda facts: Issue(  # noqa: E731
        CLIENT, new.scope, (), facts.now, "logged_in", facts.user, new, "new hash"
    )

    await bench.ledger.enter(Entry(decide, (LockUser("u_1"),)))

    with bench.database.read() as connection:
        assert load_users(connection, ["u_1"])["u_1"] == replace(USER, password_hash="new hash")


async def test_closing_finishes_what_is_under_way(database_url: str) -> None:
    async with bench_over(database_url) as bench:
        entering = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
        while not bench.decided:
            await asyncio.sleep(0)
        bench.ledger.close()
        await entering

        assert bench.generation("a") == 1
