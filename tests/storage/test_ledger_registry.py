"""The ledger is open: a new kind of lock and of write is a class and an entry in a list, without a change to it."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Boolean, Column, Connection, MetaData, String, Table, insert, select, update

from jeton.oauth.writes import SaveFamily, Write
from jeton.storage.ledger import Entry, Facts, Ledger
from jeton.storage.ledger_registry import LOCK_ORDER, WRITERS, LockContext, Writer
from jeton.storage.lock_requests import Lock, LockUser
from jeton.storage.transaction_rows import TransactionRows
from support.in_process_server import ManualClock
from support.ledger_fixtures import Bench, family

CODES = Table("made_up_codes", MetaData(), Column("code", String(16), primary_key=True), Column("used", Boolean))


@dataclass(frozen=True, slots=True)
class Code:
    code: str
    used: bool


@dataclass(frozen=True, slots=True)
class LockCode(Lock):
    code: str


@dataclass(frozen=True, slots=True)
class SaveCode(Write):
    code: Code


@dataclass(frozen=True, slots=True)
class Redeem:
    """A decision that is none of the server's own."""

    reason: str
    writes: tuple[Write, ...] = ()


def lock_codes(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    wanted = sorted({it.code for it in requests if isinstance(it, LockCode)})
    query = select(CODES).where(CODES.c.code.in_(wanted)).order_by(CODES.c.code).with_for_update()
    context.rows.add(Code, {row.code: Code(*row) for row in context.connection.execute(query)})
    return ()


def save_codes(connection: Connection, writes: Sequence[SaveCode], _: TransactionRows) -> None:
    for write in writes:
        connection.execute(update(CODES).where(CODES.c.code == write.code.code).values(used=write.code.used))


@pytest.fixture
def ledger(bench: Bench) -> Iterator[Ledger]:
    """A ledger with one more kind of lock and of write, over a database with the unused codes x and y."""
    with bench.database.write() as connection:
        CODES.create(connection)
        connection.execute(insert(CODES), [{"code": code, "used": False} for code in "xy"])
    bench.commits = 0
    opened = Ledger(
        bench.database,
        ManualClock(),
        lock_order=(lock_codes, *LOCK_ORDER),
        writers={SaveCode: Writer(save_codes, lambda rows, it: rows.change(it.code.code, it.code)), **WRITERS},
    )
    yield opened
    opened.close()
    with bench.database.write() as connection:
        CODES.drop(connection)


def redeem(code: str, sid: str) -> Entry[Redeem]:
    """An entry that opens a session for a code that was not used before."""

    def decide(facts: Facts) -> Redeem:
        found = facts.rows.of(Code).get(code)
        if found is None or found.used:
            return Redeem("code_unknown_or_used")
        return Redeem("redeemed", (SaveCode(replace(found, used=True)), SaveFamily(family(sid))))

    return Entry(decide, (LockCode(code), LockUser("u_1")))


async def test_a_new_kind_of_lock_and_of_write_is_committed_with_the_others(bench: Bench, ledger: Ledger) -> None:
    decisions = await asyncio.gather(*(ledger.enter(redeem(code, f"of {code}")) for code in ("x", "none", "y")))

    assert [it.reason for it in decisions] == ["redeemed", "code_unknown_or_used", "redeemed"]
    assert bench.commits == 1
    assert [bench.generation(f"of {code}") for code in "xy"] == [0, 0]
    with bench.database.read() as connection:
        assert connection.execute(select(CODES).order_by(CODES.c.code)).all() == [("x", True), ("y", True)]


async def test_a_later_decision_sees_a_new_kind_of_write(bench: Bench, ledger: Ledger) -> None:
    decisions = await asyncio.gather(*(ledger.enter(redeem("x", f"number {number}")) for number in range(3)))

    assert [it.reason for it in decisions] == ["redeemed", "code_unknown_or_used", "code_unknown_or_used"]
    assert (await ledger.enter(redeem("x", "later"))).reason == "code_unknown_or_used"


async def test_a_write_that_nothing_stores_is_a_defect_of_its_own_entry(bench: Bench) -> None:
    unknown = Entry(lambda _: Redeem("redeemed", (SaveCode(Code("x", used=True)),)))

    results = await asyncio.gather(
        bench.ledger.enter(unknown), bench.ledger.enter(bench.turned("a")), return_exceptions=True
    )

    assert isinstance(results[0], KeyError)
    assert bench.generation("a") == 1
