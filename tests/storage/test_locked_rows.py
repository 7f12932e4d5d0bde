"""A row that somebody keeps locked stops whoever needs it, for two seconds at most, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from jeton.oauth.decisions import Issue
from jeton.storage.ledger import Entry, Facts
from jeton.storage.lock_requests import LockFamily
from jeton.storage.tables import families, throttle_buckets
from support.in_process_server import PASSWORD, App, Running, running, settings_for
from support.ledger_fixtures import bench_over
from support.lock_contention import OnPostgresql, until
from support.refresh_load import place_of

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("O16", "O19")]


@pytest.fixture
def third(postgresql_url: str) -> Iterator[OnPostgresql]:
    contention = OnPostgresql(postgresql_url)
    yield contention
    contention.close()


@dataclass
class Person:
    """Somebody with a session, and a client that nobody else uses; `rows` are what a request of theirs locks."""

    node: Running
    name: str
    app: App
    token: str = ""
    rows: dict[str, Any] = field(default_factory=dict)

    async def log_in(self) -> httpx2.Response:
        return await self.node.token(self.app, grant_type="password", username=self.name, password=PASSWORD)

    async def refresh(self) -> httpx2.Response:
        response = await self.node.refresh(self.app, self.token)
        self.token = response.json().get("refresh_token", self.token)
        return response

    async def revoke_access_token(self) -> httpx2.Response:
        issued = await self.node.token(self.app, grant_type="client_credentials")
        return await self.node.revoke(self.app, issued.json()["access_token"])


async def person(node: Running, name: str) -> Person:
    found = Person(node, name, node.add_client(f"{name}s_client"))
    user = node.add_user(name)
    found.token = (await found.log_in()).json()["refresh_token"]
    with node.database.read() as connection:
        bucket = connection.scalars(select(throttle_buckets.c.key)).first()
    sid = place_of(found.token)[0]
    found.rows = {"family": sid, "user": user.sub, "client": found.app.client_id, "bucket": bucket}
    return found


@pytest.fixture
async def people(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Person, Person]]:
    monkeypatch.setattr("jeton.storage.row_lock_batches.MAX_WAIT_SECONDS", 1)
    async with running(settings_for(postgresql_url)) as node:
        yield await person(node, "alice"), await person(node, "bob")


async def assert_only_she_waits(
    alice: Person, bob: Person, asked: Callable[[Person], Awaitable[httpx2.Response]]
) -> None:
    waiting = asyncio.ensure_future(asked(alice))
    assert [it.status_code for it in await asyncio.gather(bob.log_in(), bob.refresh())] == [200, 200]
    assert not waiting.done()
    refused = await waiting
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("row", "asked"),
    [("family", Person.refresh), ("user", Person.log_in), ("client", Person.log_in), ("bucket", Person.log_in)],
    ids=lambda it: it if isinstance(it, str) else it.__name__,
)
async def test_a_locked_row_stops_only_who_needs_it_and_nothing_is_consumed(
    people: tuple[Person, Person], third: OnPostgresql, row: str, asked: Callable[[Person], Awaitable[httpx2.Response]]
) -> None:
    alice, bob = people
    async with third.holding(row, alice.rows[row]):
        await assert_only_she_waits(alice, bob, asked)

    assert (await asked(alice)).status_code == 200
    assert (await alice.refresh()).status_code == 200


async def test_a_table_that_is_locked_against_writers_stops_only_who_writes_to_it(
    people: tuple[Person, Person], third: OnPostgresql
) -> None:
    alice, bob = people
    with third.holding_ended_tokens():
        await assert_only_she_waits(alice, bob, Person.revoke_access_token)

    assert (await alice.revoke_access_token()).status_code == 200


@pytest.mark.parametrize("table", ["families", "users"])
async def test_a_table_that_is_locked_against_everybody_is_answered_soon_and_by_503(
    people: tuple[Person, Person], third: OnPostgresql, table: str
) -> None:
    alice, _ = people
    with third.holding_all_of(table):
        asked = [alice.refresh(), alice.log_in(), alice.node.post("/oauth/introspect", alice.app, token=alice.token)]
        assert [it.status_code for it in await asyncio.gather(*asked)] == [503] * 3

    assert (await alice.refresh()).status_code == 200


async def test_a_login_waits_for_the_session_that_has_to_make_room_for_it(
    postgresql_url: str, third: OnPostgresql
) -> None:
    async with running(settings_for(postgresql_url, LIMITS__SESSIONS_PER_USER="1")) as node:
        alice = await person(node, "alice")
        async with third.holding("family", alice.rows["family"]):
            logging_in = asyncio.ensure_future(alice.log_in())
            await until(lambda: third.waiting() == 1, "the login waiting for the session")
        assert (await logging_in).status_code == 200
        assert (await alice.refresh()).json()["error"] == "invalid_grant"
        with node.database.read() as connection:
            unended = connection.execute(select(families.c.sid).where(families.c.revoked_at.is_(None))).all()
        assert len(unended) == 1


async def test_what_becomes_free_is_done_while_others_still_wait_and_in_its_order(
    postgresql_url: str, third: OnPostgresql
) -> None:
    async with bench_over(postgresql_url) as bench:
        order: list[str] = []

        def numbered(name: str) -> Entry[Issue]:
            turned = bench.turned("b")

            def decide(facts: Facts) -> Issue:
                order.append(name)
                return turned.decide(facts)

            return Entry(decide, (LockFamily("b"),))

        async with third.holding("family", "a"):
            stuck = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
            async with third.holding("family", "b"):
                first = asyncio.ensure_future(bench.ledger.enter(numbered("first")))
                await bench.ledger.enter(bench.turned("c"))
                await until(lambda: third.waiting() >= 1, "the waiting line")
                second = asyncio.ensure_future(bench.ledger.enter(numbered("second")))
                await bench.ledger.enter(bench.turned("c"))
            await asyncio.gather(first, second)
            assert not stuck.done()
        await stuck

        assert order == ["first", "second"]
        assert [bench.generation(sid) for sid in "abc"] == [1, 2, 2]


async def test_whoever_is_free_waits_for_no_lock_at_all(
    postgresql_url: str, third: OnPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.ledger.LOCK_TIMEOUT_MS", 4000)
    async with bench_over(postgresql_url) as bench:
        async with third.holding("family", "a"):
            stuck = asyncio.ensure_future(bench.ledger.enter(bench.turned("a")))
            async with asyncio.timeout(2):
                await asyncio.gather(*(bench.ledger.enter(bench.turned(sid)) for sid in "bc"))
        await stuck
