"""Failover of a PostgreSQL cluster under load: every received token is valid, and none can be spent twice.

The cluster and its commands are those of docs/operations/failover.md.
"""

import asyncio
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from support.checkout import ROOT
from support.patroni_cluster import FAILOVER_SECONDS, NoPatroniError, PatroniCluster, patroni_cluster
from support.refresh_load import add_accounts, assert_nothing_lost_or_doubled, refresh_load
from support.server_processes import JETON, server_process

pytestmark = [pytest.mark.postgresql, pytest.mark.slow, pytest.mark.timeout(400)]

DOCUMENT: Final = (ROOT / "docs/operations/failover.md").read_text(encoding="utf-8")
COMMANDS: Final = "\n".join(re.findall(r"^```bash\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatroniCluster]:
    """A cluster in synchronous mode with a migrated database."""
    try:
        with patroni_cluster() as started:
            database = Database(started.url)
            migrate(database)
            database.close()
            yield started
    except NoPatroniError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT RUN: {missing}")


@pytest.mark.requirement("C10", "O19")
async def test_a_change_of_leader_loses_no_session_and_spends_no_token_twice(
    cluster: PatroniCluster, tmp_path: Path
) -> None:
    """The leader is switched over and killed. One server connects through HAProxy, the other has all addresses."""
    secret = add_accounts(cluster.url)
    changes: list[Callable[[], None]] = [cluster.switch_over, cluster.kill_leader]
    with server_process(tmp_path, cluster.url) as one, server_process(tmp_path, cluster.url_of_all_hosts) as two:
        async with refresh_load([one.url, two.url], secret) as load:
            await load.log_in(8)
            async with load.running():
                for change_leader in changes:
                    # Before it has a synchronous standby, no other node would replace the leader.
                    await asyncio.to_thread(cluster.restore_all_nodes)
                    before = cluster.leader
                    await load.until_answered(3)
                    await asyncio.to_thread(change_leader)
                    await asyncio.to_thread(cluster.wait_until_led_by_other_than, before)
                    await load.until_answered(10, FAILOVER_SECONDS)
            assert load.statuses.keys() == {200, 503}
            assert_nothing_lost_or_doubled(cluster.url, load.sessions)


def test_commands_of_the_document_work(tmp_path: Path) -> None:
    """They run in a checkout, with a separate cluster."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    end = "trap '{ kill $(jobs -p); wait; } 2> /dev/null || true' EXIT"

    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", f"{end}\n{COMMANDS}"],
        cwd=tmp_path,
        env={"PATH": f"{JETON.parent}:{os.environ['PATH']}", "TMPDIR": "/tmp", "JETON_METRICS__LISTEN": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
