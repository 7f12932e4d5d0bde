"""Master keys: one that is missing for a session, a wrong one for the signing keys, and a new one."""

import gc
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from jeton.bootstrap.server import assemble
from jeton.crypto.master_key import MasterKeyError, generate_master_key, parse_master_keys
from jeton.crypto.refresh_token import parse_refresh_token
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.rewrap import rewrap_signing_keys
from jeton.observability.missing_master_keys import MissingMasterKeys
from jeton.storage.database import Database
from jeton.storage.tables import metadata
from support.in_process_server import MASTER_KEY, App, Running, running, settings_for
from support.responses import outcome

NEW = generate_master_key()
endpoints = pytest.mark.parametrize("endpoint", ["refresh", "revoke", "introspect"])


@pytest.fixture
async def without_key(jeton: Running, app: App, database_url: str) -> AsyncIterator[Running]:
    """Another node that has only the newest master key, which encrypts the signing keys."""
    with jeton.database.write() as connection:
        rewrap_signing_keys(connection, SealedKeys(parse_master_keys(f"{NEW},{MASTER_KEY}")))
    async with running(settings_for(database_url, SECRETS__MASTER_KEY=NEW)) as node:
        yield node


async def present(node: Running, endpoint: str, app: App, token: str) -> httpx2.Response:
    if endpoint == "refresh":
        return await node.refresh(app, token)
    return await node.post(f"/oauth/{endpoint}", app, token=token)


@pytest.mark.both_databases
@pytest.mark.requirement("C10", "O19")
@endpoints
async def test_token_whose_master_key_is_missing_is_not_called_invalid(
    jeton: Running, without_key: Running, app: App, endpoint: str
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]

    with capture_logs() as logs:
        responses = [await present(without_key, endpoint, app, token) for _ in range(3)]

    assert [outcome(it) for it in responses] == [(503, "temporarily_unavailable")] * 3
    assert all(int(it.headers["retry-after"]) >= 1 for it in responses)
    errors = [(it["event"], it["master_key_id"]) for it in logs if it["log_level"] == "error"]
    assert errors == [("master_key_missing", parse_master_keys(MASTER_KEY).newest)]
    assert await jeton.refreshed(app, token)


@pytest.mark.requirement("C08")
@endpoints
@pytest.mark.parametrize("named", ["unknown session", "other master key"])
async def test_forged_token_neither_reveals_nor_logs_a_missing_key(
    jeton: Running, without_key: Running, app: App, endpoint: str, named: str
) -> None:
    """Only the row of a session can refer to the missing key."""
    session = parse_refresh_token((await jeton.log_in(app))["refresh_token"])
    assert session is not None
    node, sid, key = (jeton, "A" * 22, MASTER_KEY) if named == "unknown session" else (without_key, session.sid, NEW)
    forged = node.refresh_tokens.derive(sid, 0, parse_master_keys(key).newest, b"guessed")

    with capture_logs() as logs:
        response = await present(without_key, endpoint, app, forged)

    assert response.status_code == (400 if endpoint == "refresh" else 200)
    assert "master_key_missing" not in str(logs)


def test_each_missing_key_is_logged_once_a_minute() -> None:
    now = 0.0
    missing = MissingMasterKeys(lambda: now)
    with capture_logs() as logs:
        for now in (0.0, 59.0, 60.0):  # noqa: B007 - the clock of `missing`
            missing.report("one")
            missing.report("two")

    assert [it["master_key_id"] for it in logs] == ["one", "two", "one", "two"]


# A wrong master key for the signing keys.


@pytest.mark.both_databases
@pytest.mark.requirement("O14")
async def test_server_with_a_wrong_master_key_does_not_start_and_changes_nothing(database_url: str) -> None:
    before = all_rows(database_url)

    with pytest.raises(MasterKeyError, match=r"master key \w+ is needed but not configured"):
        assemble(settings_for(database_url, SECRETS__MASTER_KEY=generate_master_key()))
    # A connection left open is reported here, and not in the next test.
    gc.collect()

    assert all_rows(database_url) == before


def all_rows(url: str) -> list[list[Any]]:
    database = Database(url)
    with database.read() as connection:
        rows = [[tuple(row) for row in connection.execute(select(table))] for table in metadata.sorted_tables]
    database.close()
    return rows
