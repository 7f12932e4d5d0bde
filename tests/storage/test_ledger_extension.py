"""The ledger can be extended: a new kind of lock and of write is a class and an entry in a list."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Connection

from jeton.oauth.writes import SaveFamily, Write
from jeton.storage.ledger import Entry, Facts, Ledger
from jeton.storage.ledger_locks import LOCK_ORDER, LockContext
from jeton.storage.ledger_writers import WRITERS, Writer
from jeton.storage.lock_requests import Lock, LockUser
from jeton.storage.transaction_rows import TransactionRows
from support.in_process_server import ManualClock
from support.ledger_fixtures import Bench, family


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


@pytest.fixture
def codes() -> dict[str, Code]:
    """What stands in for a table of codes."""
    return {code: Code(code, used=False) for code in "xy"}


@pytest.fixture
def ledger(bench: Bench, codes: dict[str, Code]) -> Iterator[Ledger]:
    """A ledger with one more kind of lock and of write."""

    def lock_codes(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
        wanted = {it.code for it in requests if isinstance(it, LockCode)}
        context.rows.add(Code, {code: it for code, it in codes.items() if code in wanted})
        return ()

    def save_codes(_: Connection, writes: Sequence[SaveCode], rows: TransactionRows) -> None:
        codes.update({it.code.code: it.code for it in writes})

    extended = Ledger(
        bench.database,
        ManualClock(),
        lock_order=(lock_codes, *LOCK_ORDER),
        writers={SaveCode: Writer(save_codes, lambda rows, it: rows.change(it.code.code, it.code)), **WRITERS},
    )
    yield extended
    extended.close()


def redeem(code: str, sid: str) -> Entry[Redeem]:
    """An entry that opens a session for a code that was not used before."""

    def decide(facts: Facts) -> Redeem:
        found = facts.rows.of(Code).get(code)
        if found is None or found.used:
            return Redeem("refused")
        return Redeem("redeemed", (SaveCode(replace(found, used=True)), SaveFamily(family(sid))))

    return Entry(decide, (LockCode(code), LockUser("u_1")))


async def test_a_new_kind_of_write_is_committed_with_the_others_and_seen_by_later_decisions(
    bench: Bench, ledger: Ledger, codes: dict[str, Code]
) -> None:
    presented = ["x", "unknown", "x", "y", "x"]
    decisions = await asyncio.gather(*(ledger.enter(redeem(code, f"{at}")) for at, code in enumerate(presented)))

    assert [it.reason for it in decisions] == ["redeemed", "refused", "refused", "redeemed", "refused"]
    assert bench.commits == 1
    assert bench.generations("03") == [0, 0]
    assert [it.used for it in codes.values()] == [True, True]
    assert (await ledger.enter(redeem("x", "later"))).reason == "refused"


async def test_a_write_that_nothing_stores_is_a_defect_of_its_own_entry(bench: Bench) -> None:
    unknown = Entry(lambda _: Redeem("redeemed", (SaveCode(Code("x", used=True)),)))

    failed, _ = await asyncio.gather(bench.ledger.enter(unknown), bench.turn("a"), return_exceptions=True)

    assert isinstance(failed, KeyError)
    assert bench.generations("a") == [1]
