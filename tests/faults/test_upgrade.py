"""An upgrade under load, in the order of docs/operations/deployment.md: servers of two versions use one database."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from jeton.storage.migrate import migrations
from jeton.storage.tables import metadata
from support.checkout import ROOT
from support.refresh_load import add_accounts, assert_nothing_lost_or_doubled, refresh_load
from support.server_processes import ServerProcess, free_port, server_process

# A migration may only add what running servers of the previous version do not know, without new constraints on them.
_MIGRATION: Final = """\
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", {newest!r}, None, None
def upgrade() -> None:
    for table in {tables!r}:
        op.add_column(table, sa.Column("later", sa.Text()))
    op.create_table("later", sa.Column("id", sa.Text(), primary_key=True))
"""
_COMMAND: Final = """\
#!{python}
import sys
sys.path.insert(0, {server!r})
from jeton.cli import main
main()
"""


def next_version(folder: Path, server: ServerProcess) -> ServerProcess:
    """Return a server of the next version, whose schema has one column more in each table."""
    code = folder / "next"
    shutil.copytree(ROOT / "server", code / "server")
    shutil.copytree(migrations(), code / "alembic")
    newest = max(it.stem.partition("_")[0] for it in (code / "alembic/versions").glob("*.py"))
    migration = _MIGRATION.format(newest=newest, tables=sorted(metadata.tables))
    (code / "alembic/versions/9999_later.py").write_text(migration, encoding="utf-8")
    command = code / "jeton"
    command.write_text(_COMMAND.format(python=sys.executable, server=str(code / "server")), encoding="utf-8")
    command.chmod(0o755)
    return replace(server, port=free_port(), command=(str(command), "serve"), process=None, log_begins=0)


@pytest.mark.parametrize("database", ["own_postgresql_url", "module_sqlite_url"])
async def test_servers_of_two_versions_serve_the_same_sessions_during_an_upgrade(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue(database))
    secret = add_accounts(url)
    with server_process(tmp_path, url) as before:
        after = next_version(tmp_path, before)
        async with refresh_load([before.url], secret, pause_seconds=0.05) as load:
            await load.log_in(8)
            async with load.running():
                # Statements have been prepared by then, for tables without the new columns.
                await load.until_answered(6)
                assert after.json("migrate")["revision"] == "9999"
                await load.until_answered(4)
                assert before.answers("/readyz")
                with after.serving():
                    load.urls.append(after.url)
                    await load.until_answered(4)
                    load.urls.remove(before.url)
                    await load.until_answered(2)

            assert set(load.statuses) == {200}
            assert load.losses == []
            assert_nothing_lost_or_doubled(url, load.sessions)
