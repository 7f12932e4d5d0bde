"""Retention: rows that nothing refers to any more are deleted, some at a time; what detects a replay is kept."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from unittest.mock import Mock

import psycopg
import pytest

from jeton.background.purge import Purge
from jeton.background.shared_state import SharedState
from jeton.oauth.sessions import RevokedAccessToken
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS
from jeton.storage.database import StorageUnavailableError
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens
from jeton.storage.tables import ended_tokens, families, metadata
from support.in_process_server import App, Running, StartServer, running, settings_for
from support.lock_contention import PostgresqlContention, until
from support.statement_recorder import statements_of
from support.stored_sessions import revoke_reason, sid_of, stored_family

T = TypeVar("T")

IDLE, ABSOLUTE, ACCESS = 100, 1000, 50
SETTINGS = {
    "TOKENS__REFRESH_IDLE_SECONDS": str(IDLE),
    "TOKENS__REFRESH_ABSOLUTE_SECONDS": str(ABSOLUTE),
    "TOKENS__ACCESS_SECONDS": str(ACCESS),
    "LIMITS__LOGINS_PER_ACCOUNT": "0",
}


@pytest.fixture
async def node(start: StartServer) -> Running:
    """A server whose sessions expire after 100 seconds of idleness, at most 1000; access tokens live 50 seconds."""
    server = await start(**SETTINGS)
    server.add_user()
    return server


@pytest.fixture
def app(node: Running) -> App:
    return node.add_client()


def rows(node: Running) -> tuple[int, int]:
    """Return the number of stored families and revoked access tokens."""
    return node.count(families), node.count(ended_tokens)


async def unused_session(node: Running, app: App) -> list[str]:
    tokens = await node.log_in(app)
    return [tokens["refresh_token"], tokens["access_token"]]


async def session_in_use(node: Running, app: App) -> list[str]:
    token = (await node.log_in(app))["refresh_token"]
    for _ in range(10):
        node.clock.advance(IDLE - 1)
        token = (await node.refreshed(app, token))["refresh_token"]
    return [token]


async def revoked_session(node: Running, app: App) -> list[str]:
    spent = (await node.log_in(app))["refresh_token"]
    token = (await node.refreshed(app, spent))["refresh_token"]
    await node.revoke(app, token)
    return [spent, token]


async def revoked_access_token(node: Running, app: App) -> list[str]:
    token = (await node.token(app, grant_type="client_credentials")).json()["access_token"]
    await node.revoke(app, token)
    return [token]


@pytest.mark.requirement("C04", "O02", "O08")
@pytest.mark.parametrize(
    ("make", "seconds", "deleted"),
    [
        (unused_session, ABSOLUTE, 1),
        (session_in_use, ABSOLUTE - 10 * (IDLE - 1), 1),
        # The family, and the entry of its access tokens in the status list.
        (revoked_session, ACCESS + CLOCK_SKEW_SECONDS, 2),
        (revoked_access_token, ACCESS, 1),
    ],
)
async def test_rows_are_deleted_once_nothing_refers_to_them_and_their_tokens_are_refused_as_unknown(
    node: Running, app: App, make: Callable[[Running, App], Awaitable[list[str]]], seconds: int, deleted: int
) -> None:
    tokens = await make(node, app)

    node.clock.advance(seconds - 1)
    assert (node.purge.delete_expired(), sum(rows(node))) == (0, 1)
    if make is revoked_access_token:
        assert await node.introspect(app, tokens[0]) == {"active": False}
    node.clock.advance(1)
    assert (node.purge.delete_expired(), sum(rows(node))) == (deleted, 0)

    for token in tokens:
        refused = await node.refresh(app, token)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert await node.introspect(app, token) == {"active": False}
        assert (await node.revoke(app, token)).status_code == 200


async def test_an_idle_session_is_kept_and_a_replay_still_ends_it(node: Running, app: App) -> None:
    stolen = (await node.log_in(app))["refresh_token"]
    await node.refreshed(app, stolen)
    node.clock.advance(IDLE)
    node.purge.delete_expired()

    await node.refresh(app, stolen)

    assert revoke_reason(node, stolen) == "refresh_token_reused"


async def test_a_bounded_number_of_rows_is_deleted_at_once_and_none_that_is_in_use(
    node: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.purge._MAX_ROWS", 10)
    for _ in range(25):
        await node.log_in(app)
        await revoked_access_token(node, app)
    node.clock.advance(ABSOLUTE - 1)
    kept = (await node.log_in(app))["refresh_token"]
    node.clock.advance(1)

    left = []
    while node.purge.delete_expired_batch():
        left.append(rows(node))

    assert left == [(16, 15), (6, 5), (1, 0)]
    await node.refreshed(app, kept)


def recorded(method: Callable[[T], object], calls: list[str]) -> Callable[[T], object]:
    """Return a replacement of the method that also records its name."""

    def call(it: T) -> object:
        calls.append(method.__name__)
        return method(it)

    return call


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_table_from_which_nothing_can_be_deleted_keeps_no_rows_of_others(node: Running) -> None:
    """Such as one that another command has locked, or that the role may not delete from."""
    failing = Mock(side_effect=[StorageUnavailableError("first"), StorageUnavailableError("second")])
    later = Mock(return_value=1)
    purge = Purge(node.database, node.clock, node.rotation, [failing, failing, later])

    with pytest.raises(StorageUnavailableError, match="first"):
        purge.delete_expired_batch()

    later.assert_called_once()


@pytest.mark.requirement("O02")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_server_deletes_all_expired_rows_and_refreshes_in_between(
    node: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("purge._MAX_ROWS", 10),
        ("maintenance._PAUSE_FACTOR", 0),
        ("maintenance._PURGE_SECONDS", 0),
        ("maintenance._REFRESH_SECONDS", 0),
    ):
        monkeypatch.setattr(f"jeton.background.{name}", value)
    calls: list[str] = []
    monkeypatch.setattr(SharedState, "refresh", recorded(SharedState.refresh, calls))
    monkeypatch.setattr(Purge, "delete_expired_batch", recorded(Purge.delete_expired_batch, calls))
    past = [RevokedAccessToken(f"jti{number}", node.clock.now()) for number in range(95)]
    with node.database.write() as connection:
        insert_revoked_access_tokens(connection, past)
    maintaining = asyncio.ensure_future(node.server.parts.background.maintenance.run())

    await until(lambda: rows(node) == (0, 0), "all expired rows deleted")
    maintaining.cancel()
    await asyncio.wait([maintaining])

    between = calls[calls.index("delete_expired_batch") : len(calls) - calls[::-1].index("delete_expired_batch")]
    assert between.count("delete_expired_batch") >= 10
    assert "refresh" in between
    assert maintaining.cancelled()


@pytest.mark.postgresql
async def test_a_row_that_is_locked_is_left_for_the_next_time(postgresql_url: str, locks: PostgresqlContention) -> None:
    async with running(settings_for(postgresql_url, **SETTINGS)) as node:
        app, _ = node.add_client(), node.add_user()
        tokens = [(await node.log_in(app))["refresh_token"] for _ in range(2)]
        node.clock.advance(ABSOLUTE)

        async with locks.locked_row("family", sid_of(tokens[0])):
            assert node.purge.delete_expired() == 1
        assert [stored_family(node, token) is not None for token in tokens] == [True, False]
        assert node.purge.delete_expired() == 1


# Tables whose rows stay until an administrator deletes them, and why their number is bounded.
KEPT: Final = {
    "users": "administrators delete them",
    "resources": "administrators delete them",
    "signing_keys": "deleted when they leave the key set, a few at a time (above)",
    "id_token_keys": "as signing_keys",
    "issued_identifiers": "32 bytes for each user and client, so that none gets the identifier of an earlier one",
    "status_counter": "one row",
    "audit_records": "whole chains, once they are below a checkpoint that is old enough (test_audit.py)",
}


def deleted_with_their_parents() -> set[str]:
    """Return the tables whose rows are deleted by a foreign key."""
    return {
        table.name
        for table in metadata.tables.values()
        if any(key.parent.primary_key and key.ondelete == "CASCADE" for key in table.foreign_keys)
    }


async def test_every_table_loses_its_expired_rows_or_has_a_reason_not_to(node: Running) -> None:
    with statements_of(node) as sent:
        node.purge.delete_expired_batch()

    searched = {table for it in sent for table in re.findall(r"\bFROM (\w+)", it) if "LIMIT" in it}
    assert searched & KEPT.keys() == set()
    assert searched | deleted_with_their_parents() | KEPT.keys() == metadata.tables.keys()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_expired_rows_are_found_by_an_index_in_the_order_of_their_age(node: Running) -> None:
    with statements_of(node) as sent:
        node.purge.delete_expired_batch()

    with node.database.read() as connection:
        for statement in sent:
            values = (0,) * statement.count("?")
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            # PostgreSQL's plans are those of test_query_plans.py.
            assert [step[-1] for step in plan if re.match("SCAN(?!.* INDEX)|USE TEMP", step[-1])] == [], statement


@pytest.mark.postgresql
async def test_one_node_at_a_time_deletes(postgresql_url: str) -> None:
    async with running(settings_for(postgresql_url, **SETTINGS)) as node:
        app, _ = node.add_client(), node.add_user()
        await node.log_in(app)
        node.clock.advance(ABSOLUTE)

        with psycopg.connect(node.database.url.render_as_string(hide_password=False)) as other:
            other.execute("SELECT pg_advisory_xact_lock(7461003)")
            assert node.purge.delete_expired() == 0
        assert node.purge.delete_expired() > 0
