"""The replay store: what may be used once is used once, on all nodes, and only by requests that have an effect."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import insert, select

from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.single_use import SingleUse
from jeton.storage import replay_store as replay_store_module
from jeton.storage.ledger import Entry, Facts
from jeton.storage.lock_requests import LockFamily, LockSingleUse
from jeton.storage.replay_store import ReplayStore, ReplayStoreFullError, only_once
from jeton.storage.tables import single_uses
from support.in_process_server import START, Running
from support.ledger_fixtures import CLIENT, Bench, bench_over
from support.lock_contention import OnPostgresql, until

REPLAYED = Deny(ErrorCode.INVALID_DPOP_PROOF, "proof_used_before")
PROOF = SingleUse(b"proof", START + 70)


@dataclass
class Nodes:
    """Two ledgers on one database, as two servers have them."""

    first: Bench
    second: Bench

    @property
    def stores(self) -> tuple[ReplayStore, ReplayStore]:
        return ReplayStore(self.first.ledger), ReplayStore(self.second.ledger)


@pytest.fixture
async def nodes(bench: Bench) -> AsyncIterator[Nodes]:
    other = Bench(bench.database, type(bench.ledger)(bench.database, bench.ledger._clock))
    yield Nodes(bench, other)
    other.ledger.close()


def stored(bench: Bench) -> list[bytes]:
    with bench.database.read() as connection:
        return list(connection.scalars(select(single_uses.c.digest).order_by(single_uses.c.digest)))


@pytest.mark.requirement("DP05", "L17")
async def test_of_32_uses_at_once_on_two_nodes_one_is_the_first(nodes: Nodes) -> None:
    for number in range(20):
        proof = SingleUse(b"proof %d" % number, START + 70)

        first = await asyncio.gather(*(nodes.stores[at % 2].use(proof) for at in range(32)))

        assert Counter(first) == {True: 1, False: 31}


@pytest.mark.requirement("DP05")
async def test_different_uses_at_once_are_written_by_few_transactions(nodes: Nodes) -> None:
    await asyncio.gather(*(nodes.stores[0].use(SingleUse(b"%d" % at, START + 70)) for at in range(100)))

    assert len(stored(nodes.first)) == 100
    assert nodes.first.commits <= 2


@pytest.mark.requirement("DP05", "DP20", "L17")
async def test_a_refused_request_uses_nothing_and_a_replayed_one_changes_nothing(bench: Bench) -> None:
    refusal = Deny(ErrorCode.INVALID_GRANT, "refresh_token_unknown")
    refused: Entry[Issue | Deny] = Entry(lambda _: refusal)

    assert await bench.ledger.enter(only_once(refused, PROOF, REPLAYED)) == refusal
    assert stored(bench) == []
    commits = bench.commits
    allowed = await bench.ledger.enter(only_once(turned("a"), PROOF, REPLAYED))
    assert bench.commits == commits + 1
    replayed = await bench.ledger.enter(only_once(turned("a"), PROOF, REPLAYED))

    assert (allowed.reason, replayed) == ("turned", REPLAYED)
    assert (stored(bench), bench.generations("a")) == ([b"proof"], [1])


def turned(sid: str) -> Entry[Issue | Deny]:
    """An entry that advances that family by one generation."""

    def decide(facts: Facts) -> Issue | Deny:
        assert facts.family is not None
        after = facts.family._replace(generation=facts.family.generation + 1)
        return Issue(CLIENT, after.scope, (), facts.now, "turned", facts.user, after)

    return Entry(decide, (LockFamily(sid),))


@pytest.mark.requirement("DP05")
async def test_one_proof_with_two_sessions_on_two_nodes_turns_one_of_them(nodes: Nodes) -> None:
    for number in range(20):
        proof = SingleUse(b"proof %d" % number, START + 70)
        before = sum(nodes.first.generations("ab"))

        decisions = await asyncio.gather(
            nodes.first.ledger.enter(only_once(turned("a"), proof, REPLAYED)),
            nodes.second.ledger.enter(only_once(turned("b"), proof, REPLAYED)),
        )

        assert sorted(it.reason for it in decisions) == ["proof_used_before", "turned"]
        assert sum(nodes.first.generations("ab")) == before + 1


@pytest.mark.postgresql
@pytest.mark.requirement("DP05")
async def test_a_use_that_another_node_is_about_to_commit_does_not_fail_the_others(
    postgresql_url: str, locks: OnPostgresql
) -> None:
    """The batch is repeated: the use that was lost is refused, and all others are done."""
    async with bench_over(postgresql_url) as bench:
        store, others = ReplayStore(bench.ledger), [SingleUse(b"%d" % at, START + 70) for at in range(5)]
        with bench.database.write() as elsewhere:
            elsewhere.execute(insert(single_uses).values(digest=PROOF.digest, expires_at=PROOF.expires_at))
            running = asyncio.ensure_future(asyncio.gather(*(store.use(it) for it in (PROOF, *others))))
            await until(lambda: locks.waiting() >= 1, "a transaction that waits for the other use")

        assert await running == [False, True, True, True, True, True]


async def test_a_use_is_seen_by_the_next_decision_of_the_batch(bench: Bench) -> None:
    def decide(facts: Facts) -> Issue:
        if PROOF.digest in facts.rows.of(SingleUse):
            return Issue(CLIENT, frozenset(), (), facts.now, "used")
        return Issue(CLIENT, frozenset(), (), facts.now, "new", single_use=PROOF)

    entry = Entry(decide, (LockSingleUse(PROOF.digest),))

    assert [it.reason for it in await asyncio.gather(*(bench.ledger.enter(entry) for _ in range(3)))] == [
        *("new", "used", "used")
    ]


@pytest.mark.requirement("DP05")
async def test_uses_are_forgotten_when_they_expire_and_refused_until_then(jeton: Running) -> None:
    proof = SingleUse(b"proof", jeton.clock.now() + 70)
    assert await jeton.server.parts.storage.replay_store.use(proof)

    jeton.clock.advance(69)
    assert (jeton.purge.delete_expired(), await jeton.server.parts.storage.replay_store.use(proof)) == (0, False)
    jeton.clock.advance(1)
    # Until its row is deleted.
    assert not await jeton.server.parts.storage.replay_store.use(proof)
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
