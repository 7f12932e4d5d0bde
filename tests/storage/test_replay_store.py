"""The replay store: what may be used once is used once, on all nodes, and only by requests that have an effect."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from sqlalchemy import insert, select

from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.single_use import SingleUse
from jeton.storage.ledger import replay_store as replay_store_module
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockSingleUse
from jeton.storage.ledger.replay_store import ReplayStore, ReplayStoreFullError, only_once
from jeton.storage.tables import single_uses
from support.in_process_server import START, ManualClock, Running
from support.ledger_fixtures import CLIENT, LedgerHarness, ledger_harness
from support.lock_contention import PostgresqlContention, until

REPLAYED = Deny(ErrorCode.INVALID_DPOP_PROOF, "proof_used_before")
PROOF = SingleUse(b"proof", START + 70)


@pytest.fixture
async def other(harness: LedgerHarness) -> AsyncIterator[LedgerHarness]:
    """A second ledger on the same database, as in another server."""
    other_harness = LedgerHarness(harness.database, Ledger(harness.database, ManualClock()))
    yield other_harness
    other_harness.ledger.close()


def rotate_with_proof(harness: LedgerHarness, sid: str, proof: SingleUse) -> Awaitable[Issue | Deny]:
    """Advance the family by one generation, unless the proof was used before."""
    entry: Entry[Any] = harness.rotation(sid)
    return harness.ledger.enter(only_once(entry, proof, REPLAYED))


def stored(harness: LedgerHarness) -> list[bytes]:
    with harness.database.read() as connection:
        return list(connection.scalars(select(single_uses.c.digest).order_by(single_uses.c.digest)))


@pytest.mark.requirement("DP05", "L17")
async def test_of_32_uses_at_once_on_two_nodes_one_is_the_first(harness: LedgerHarness, other: LedgerHarness) -> None:
    stores = ReplayStore(harness.ledger), ReplayStore(other.ledger)
    for number in range(20):
        proof = SingleUse(b"proof %d" % number, START + 70)

        first = await asyncio.gather(*(stores[at % 2].use(proof) for at in range(32)))

        assert Counter(first) == {True: 1, False: 31}


@pytest.mark.requirement("DP05")
async def test_different_uses_at_once_are_written_by_few_transactions(harness: LedgerHarness) -> None:
    store = ReplayStore(harness.ledger)
    await asyncio.gather(*(store.use(SingleUse(b"%d" % at, START + 70)) for at in range(100)))

    assert len(stored(harness)) == 100
    assert harness.commits <= 2


@pytest.mark.requirement("DP05", "DP20", "L17")
async def test_a_refused_request_uses_nothing_and_a_replayed_one_changes_nothing(harness: LedgerHarness) -> None:
    refusal = Deny(ErrorCode.INVALID_GRANT, "refresh_token_unknown")
    refused: Entry[Issue | Deny] = Entry(lambda _: refusal)

    assert await harness.ledger.enter(only_once(refused, PROOF, REPLAYED)) == refusal
    assert stored(harness) == []
    commits = harness.commits
    allowed = await rotate_with_proof(harness, "a", PROOF)
    assert harness.commits == commits + 1
    replayed = await rotate_with_proof(harness, "a", PROOF)

    assert (allowed.reason, replayed) == ("rotated", REPLAYED)
    assert (stored(harness), harness.generations("a")) == ([b"proof"], [1])


@pytest.mark.requirement("DP05")
async def test_one_proof_with_two_sessions_on_two_nodes_rotates_one_of_them(
    harness: LedgerHarness, other: LedgerHarness
) -> None:
    for number in range(20):
        proof = SingleUse(b"proof %d" % number, START + 70)
        before = sum(harness.generations("ab"))

        decisions = await asyncio.gather(rotate_with_proof(harness, "a", proof), rotate_with_proof(other, "b", proof))

        assert sorted(it.reason for it in decisions) == ["proof_used_before", "rotated"]
        assert sum(harness.generations("ab")) == before + 1


@pytest.mark.postgresql
@pytest.mark.requirement("DP05")
async def test_a_use_that_another_node_is_about_to_commit_does_not_fail_the_others(
    postgresql_url: str, locks: PostgresqlContention
) -> None:
    """The batch is repeated: only the duplicate use is refused."""
    async with ledger_harness(postgresql_url) as harness:
        store, others = ReplayStore(harness.ledger), [SingleUse(b"%d" % at, START + 70) for at in range(5)]
        with harness.database.write() as elsewhere:
            elsewhere.execute(insert(single_uses).values(digest=PROOF.digest, expires_at=PROOF.expires_at))
            running = asyncio.ensure_future(asyncio.gather(*(store.use(it) for it in (PROOF, *others))))
            await until(lambda: locks.waiting_connections() >= 1, "a transaction that waits for the other use")

        assert await running == [False, True, True, True, True, True]


async def test_a_use_is_seen_by_the_next_decision_of_the_batch(harness: LedgerHarness) -> None:
    def decide(facts: Facts) -> Issue:
        if PROOF.digest in facts.rows.of(SingleUse):
            return Issue(CLIENT, frozenset(), (), facts.now, "used")
        return Issue(CLIENT, frozenset(), (), facts.now, "new", single_use=PROOF)

    entry = Entry(decide, (LockSingleUse(PROOF.digest),))

    decisions = await asyncio.gather(*(harness.ledger.enter(entry) for _ in range(3)))
    assert [it.reason for it in decisions] == ["new", "used", "used"]


@pytest.mark.requirement("DP05")
async def test_uses_are_forgotten_when_they_expire_and_refused_until_then(jeton: Running) -> None:
    store, proof = jeton.server.parts.storage.replay_store, SingleUse(b"proof", jeton.clock.now() + 70)
    assert await store.use(proof)

    jeton.clock.advance(69)
    assert (jeton.purge.delete_expired(), await store.use(proof)) == (0, False)
    jeton.clock.advance(1)
    # Until its row is deleted.
    assert not await store.use(proof)
    assert (jeton.purge.delete_expired(), jeton.count(single_uses)) == (1, 0)


@pytest.mark.requirement("DP05")
async def test_the_number_of_rows_is_bounded_and_a_full_store_is_unavailable(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_store_module, "MAX_ROWS", 3)
    store, expires_at = jeton.server.parts.storage.replay_store, jeton.clock.now() + 70
    for number in range(3):
        await store.use(SingleUse(b"%d" % number, expires_at))
    jeton.shared_state.refresh()

    with pytest.raises(ReplayStoreFullError):
        await store.use(SingleUse(b"one more", expires_at))

    assert jeton.count(single_uses) == 3
    jeton.clock.advance(70)
    jeton.purge.delete_expired()
    jeton.shared_state.refresh()
    assert await store.use(SingleUse(b"one more", expires_at + 70))
