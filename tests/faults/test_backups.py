"""The PostgreSQL commands of docs/operations/backup.md as documented, and a server on the restored database.

Blocks fenced as ```bash are run: those that begin with pg_ or cp as the account of PostgreSQL.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from support.checkout import ROOT
from support.crashable_postgresql import Cluster
from support.in_process_server import MASTER_KEY, App, Running, running, settings_for
from support.postgresql import OPTIONS, postgresql_cluster
from support.server_processes import JETON, wait_until

pytestmark = [pytest.mark.postgresql, pytest.mark.slow, pytest.mark.timeout(300)]

DOCUMENT: Final = (ROOT / "docs/operations/backup.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```bash\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def block(first_words: str) -> str:
    (found,) = [it for it in BLOCKS if it.startswith(first_words)]
    return str(found)


@dataclass(frozen=True)
class Operator:
    """An operator who runs the commands of the document on a cluster that archives its log."""

    cluster: Cluster
    binaries: Path

    @property
    def backups(self) -> Path:
        return self.cluster.folder / "backups"

    @property
    def restored(self) -> Path:
        return self.cluster.folder / "restored"

    def run(self, commands: str, **variables: str) -> None:
        owner = self.cluster.folder.stat()
        account: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        is_root = os.geteuid() == 0 and commands.startswith(("pg_", "cp "))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            env={
                "PATH": f"{self.binaries}:{JETON.parent}:{os.environ['PATH']}",
                "PGHOST": str(self.cluster.folder),
                "PGUSER": "jeton",
                "PGDATABASE": "postgres",
                "BACKUPS": str(self.backups),
                "RESTORED": str(self.restored),
                "JETON_SECRETS__MASTER_KEY": MASTER_KEY,
                **variables,
            },
            cwd=self.cluster.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **(account if is_root else {}),
        )
        assert done.returncode == 0, done.stderr

    def execute(self, statement: str) -> Any:
        url = self.cluster.url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchone() if cursor.description else None

    def archive_the_log(self) -> None:
        """Wait until every commit is in the archive."""
        (file,) = self.execute("SELECT pg_walfile_name(pg_switch_wal())")
        wait_until((self.backups / "wal" / file).exists, f"{file} archived", 60)

    def url(self, name: str, folder: Path | None = None) -> str:
        return f"postgresql://jeton@/{name}?host={folder or self.cluster.folder}"


@pytest.fixture
def operator() -> Iterator[Operator]:
    """An operator of a separate cluster with a migrated database `jeton`."""
    with postgresql_cluster(durable=True) as url:
        it = _archiving(Cluster(url))
        it.execute("CREATE DATABASE jeton TEMPLATE template0 ENCODING 'UTF8'")
        database = Database(it.url("jeton"))
        migrate(database)
        database.close()
        yield it
        if (it.restored / "postmaster.pid").exists():
            it.run('pg_ctl -D "$RESTORED" -m immediate -w stop')


def _archiving(cluster: Cluster) -> Operator:
    """Let the cluster archive its log, as the document's settings say."""
    (settings,) = re.findall(r"^```text\n(archive_mode.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    wal = cluster.folder / "backups" / "wal"
    wal.mkdir(parents=True)
    owner = cluster.folder.stat()
    for folder in (wal, wal.parent):
        os.chown(folder, owner.st_uid, owner.st_gid)
    with (cluster.folder / "data" / "postgresql.auto.conf").open("a") as file:
        file.write(settings.replace("/srv/backups/wal", str(wal)))
    binary = (cluster.folder / "data" / "postmaster.opts").read_text().split()[0]
    cluster.stop("fast")
    cluster.start()
    return Operator(cluster, Path(binary).parent)


async def log_in(node: Running) -> tuple[App, str]:
    app, _ = node.add_client(), node.add_user()
    return app, str((await node.log_in(app))["refresh_token"])


async def test_a_dump_is_restored_with_its_sessions(operator: Operator) -> None:
    async with running(settings_for(operator.url("jeton"))) as node:
        app, token = await log_in(node)
        operator.run(block("pg_dump"))

    async with running(settings_for(operator.url("jeton_restored"))) as node:
        await node.refreshed(app, token)


async def test_a_point_in_time_is_restored_and_a_token_of_the_lost_time_is_recognised(operator: Operator) -> None:
    async with running(settings_for(operator.url("jeton"))) as node:
        app, token = await log_in(node)
        operator.run(block("pg_basebackup"))
        second = (await node.refreshed(app, token))["refresh_token"]
        until = operator.execute("SELECT clock_timestamp()")[0]
        third = (await node.refreshed(app, second))["refresh_token"]
        fourth = (await node.refreshed(app, third))["refresh_token"]
        operator.archive_the_log()

    folder = operator.cluster.folder / "restored_socket"
    folder.mkdir()
    owner = operator.cluster.folder.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    # PostgreSQL requires at least the connection limit of the original cluster.
    operator.run(block("cp -a"), UNTIL=str(until), OPTIONS=f"{OPTIONS} -c unix_socket_directories={folder}")

    restored = operator.url("jeton", folder)
    with psycopg.connect(restored, autocommit=True) as connection:
        in_recovery = "SELECT pg_is_in_recovery()"
        wait_until(lambda: connection.execute(in_recovery).fetchone() == (False,), "the end of the recovery", 60)

    async with running(settings_for(restored)) as node:
        # Everything committed before the lost time has been restored.
        await node.refreshed(app, fourth)
        # It cannot be spent again after the app has returned.
        replayed = await node.refresh(app, second)
        assert replayed.json()["error"] == "invalid_grant"


async def test_a_database_moves_from_sqlite_to_postgresql(operator: Operator) -> None:
    (operator.cluster.folder / "var").mkdir()
    old = f"sqlite:///{operator.cluster.folder}/var/jeton.db"
    database = Database(old)
    migrate(database)
    database.close()
    async with running(settings_for(old)) as node:
        app, token = await log_in(node)
    operator.execute("CREATE DATABASE new TEMPLATE template0 ENCODING 'UTF8'")

    operator.run(block("JETON_DATABASE__URL"), NEW_DATABASE=operator.url("new"), PYTHONPATH=str(ROOT / "server"))

    async with running(settings_for(operator.url("new"))) as node:
        await node.refreshed(app, token)


def test_every_block_for_postgresql_is_run_here() -> None:
    assert [it.split()[0] for it in BLOCKS] == ["pg_dump", "pg_basebackup", "cp", 'JETON_DATABASE__URL="$NEW_DATABASE"']
