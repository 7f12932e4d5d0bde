"""Several processes on one SQLite file: at the very first start, and under load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from jeton.storage.database import Database
from jeton.storage.tables import signing_keys
from support.refresh_load import USERNAME, Load, add_accounts, assert_nothing_lost_or_doubled, refresh_load, stored
from support.server_processes import run_jeton, server_process


@asynccontextmanager
async def two_servers_started_at_once(folder: Path) -> AsyncIterator[tuple[str, Load]]:
    """Start two servers in an empty folder. Yield the URL of the database, and clients of both.

    Both servers have the same keys.
    """
    url = f"sqlite:///{folder}/var/jeton.db"
    with ExitStack() as stack:
        variables = {"SECRETS__MASTER_KEY": ""}
        servers = [stack.enter_context(server_process(folder, url, begin_only=True, **variables)) for _ in range(2)]
        for server in servers:
            server.wait_until_ready()
        database = Database(url)
        with database.read() as connection:
            stored_kids = set(connection.scalars(select(signing_keys.c.kid)))
        database.close()
        assert len(stored_kids) == 2
        assert [server.kids for server in servers] == [stored_kids] * 2
        assert {it.name for it in (folder / "var").iterdir()} >= {"jeton.db", "jeton.db.master-key"}
        assert not list((folder / "var").glob(".master-key-*"))
        async with refresh_load([server.url for server in servers], add_accounts(url)) as load:
            yield url, load


@pytest.mark.requirement("O14")
async def test_commands_and_two_servers_started_at_once_never_find_the_file_locked(tmp_path: Path) -> None:
    async with two_servers_started_at_once(tmp_path) as (url, load):
        # One master key: each server knows the other's refresh tokens, and each session goes back and forth.
        sessions = await load.log_in(8)
        async with load.running():
            await load.until_answered(2)
            added = await asyncio.to_thread(run_jeton, tmp_path, url, "user", "add", "bob", "--generate-password")
            await load.until_answered(2)
        assert (added.returncode, added.stderr) == (0, "")
        assert (load.losses, set(load.statuses)) == ([], {200})
        assert_nothing_lost_or_doubled(url, sessions)

        ended = await asyncio.to_thread(run_jeton, tmp_path, url, "user", "disable", USERNAME)
        assert (ended.returncode, ended.stderr) == (0, "")
        for session in sessions:
            assert (await load.refresh(session)).status_code == 400
        assert {it.revoke_reason for it in stored(url, sessions)} == {"user_disabled"}
