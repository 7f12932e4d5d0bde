"""A row locked by another transaction delays only requests that need it, for two seconds at most."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from jeton.storage.tables import throttle_buckets
from support.in_process_server import PASSWORD, App, Running, running, settings_for
from support.ledger_fixtures import LedgerHarness
from support.lock_contention import PostgresqlContention, until
from support.stored_sessions import count_open_sessions, sid_of

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("O16", "O19")]


@dataclass
class Person:
    """A user with a separate session and client. Its requests lock `rows`, given by their keys."""

    node: Running
    name: str
    app: App
    token: str
    rows: dict[str, Any]

    def log_in(self) -> Awaitable[httpx2.Response]:
        return self.node.token(self.app, grant_type="password", username=self.name, password=PASSWORD)

    async def refresh(self) -> httpx2.Response:
        response = await self.node.refresh(self.app, self.token)
        self.token = response.json().get("refresh_token", self.token)
        return response

    def introspect(self) -> Awaitable[httpx2.Response]:
        return self.node.post("/oauth/introspect", self.app, token=self.token)

    async def revoke_access_token(self) -> httpx2.Response:
        issued = await self.node.token(self.app, grant_type="client_credentials")
        return await self.node.revoke(self.app, issued.json()["access_token"])


Request = Callable[[Person], Awaitable[httpx2.Response]]


async def person(node: Running, name: str) -> Person:
    app, user = node.add_client(f"{name}s_client"), node.add_user(name)
    token = (await node.log_in(app, name))["refresh_token"]
    with node.database.read() as connection:
        bucket = connection.scalars(select(throttle_buckets.c.key)).first()
    rows = {"family": sid_of(token), "user": user.sub, "client": app.client_id, "bucket": bucket}
    return Person(node, name, app, token, rows)


@pytest.fixture
async def people(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Person, Person]]:
    monkeypatch.setattr("jeton.storage.row_lock_batches.MAX_WAIT_SECONDS", 1)
    async with running(settings_for(postgresql_url)) as node:
        yield await person(node, "alice"), await person(node, "bob")


async def assert_only_alice_waits(alice: Person, bob: Person, request: Request) -> None:
    waiting = asyncio.ensure_future(request(alice))
    assert [it.status_code for it in await asyncio.gather(bob.log_in(), bob.refresh())] == [200, 200]
    assert not waiting.done()
    async with asyncio.timeout(20):
        refused = await waiting
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize("row", ["family", "user", "client", "bucket"])
async def test_a_locked_row_delays_only_requests_that_need_it_and_nothing_is_consumed(
    people: tuple[Person, Person], locks: PostgresqlContention, row: str
) -> None:
    alice, bob = people
    request_of: Request = Person.refresh if row == "family" else Person.log_in
    async with locks.locked_row(row, alice.rows[row]):
        await assert_only_alice_waits(alice, bob, request_of)

    assert [it.status_code for it in (await request_of(alice), await alice.refresh())] == [200, 200]


async def test_a_table_that_is_locked_against_writers_delays_only_requests_that_write_to_it(
    people: tuple[Person, Person], locks: PostgresqlContention
) -> None:
    alice, bob = people
    with locks.locked_tables("ended_tokens"):
        await assert_only_alice_waits(alice, bob, Person.revoke_access_token)

    assert (await alice.revoke_access_token()).status_code == 200


@pytest.mark.parametrize("table", ["families", "users"])
async def test_requests_to_a_table_that_is_locked_against_readers_are_refused_soon(
    people: tuple[Person, Person], locks: PostgresqlContention, table: str
) -> None:
    alice, _ = people
    with locks.locked_tables(table, readers=True):
        responses = await asyncio.gather(alice.refresh(), alice.log_in(), alice.introspect())
        assert [it.status_code for it in responses] == [503] * 3

    assert (await alice.refresh()).status_code == 200


async def test_a_login_waits_for_the_session_that_has_to_make_room_for_it(
    postgresql_url: str, locks: PostgresqlContention
) -> None:
    async with running(settings_for(postgresql_url, LIMITS__SESSIONS_PER_USER="1")) as node:
        alice = await person(node, "alice")
        async with locks.locked_row("family", alice.rows["family"]):
            logging_in = asyncio.ensure_future(alice.log_in())
            await until(lambda: locks.waiting_connections() == 1, "the login waiting for the session")
        assert (await logging_in).status_code == 200
        assert (await alice.refresh()).json()["error"] == "invalid_grant"
        assert count_open_sessions(node, alice.rows["user"]) == 1


async def test_entries_of_a_released_row_are_decided_in_order_while_others_wait(
    postgresql_harness: LedgerHarness, locks: PostgresqlContention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.ledger.ledger.LOCK_TIMEOUT_MS", 10)
    harness = postgresql_harness
    async with locks.locked_row("family", "a"):
        stuck = harness.rotate("a")
        async with locks.locked_row("family", "b"):
            first = harness.rotate("b", "first of b")
            await harness.rotate("c")
            await until(lambda: locks.waiting_connections() >= 1, "the waiting line")
            second = harness.rotate("b", "second of b")
            # Long enough for both to wait for the same row.
            for _ in range(60):
                await harness.rotate("c")
        await asyncio.gather(first, second)
        assert not stuck.done()
    await stuck

    assert [it for it in harness.decided if it.endswith("of b")] == ["first of b", "second of b"]
    assert harness.generations() == [1, 2, 61]


async def test_an_entry_whose_rows_are_free_waits_for_no_lock(
    postgresql_harness: LedgerHarness, locks: PostgresqlContention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.ledger.ledger.LOCK_TIMEOUT_MS", 4000)
    async with locks.locked_row("family", "a"):
        stuck = postgresql_harness.rotate("a")
        async with asyncio.timeout(2):
            await asyncio.gather(postgresql_harness.rotate("b"), postgresql_harness.rotate("c"))
    await stuck
