"""The trial cluster of config/deployment/patroni: three nodes, whose leader can be moved or killed."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from support.checkout import ROOT
from support.server_processes import children_of, wait_until

TRIAL: Final = ROOT / "config" / "deployment" / "patroni" / "trial.sh"
SETUP_SECONDS: Final = 120
# A dead leader is replaced after `ttl` (20 s), and later on a busy machine.
FAILOVER_SECONDS: Final = 90


class NoPatroniError(Exception):
    """A program of the cluster is missing on this machine."""


@dataclass(frozen=True)
class PatroniCluster:
    """A running cluster, in a folder."""

    folder: Path

    @property
    def url(self) -> str:
        """The URL that leads to the leader through HAProxy."""
        return (self.folder / "jeton.env").read_text(encoding="ascii").strip().partition("=")[2]

    @property
    def url_of_all_hosts(self) -> str:
        """The URL with all nodes, for the driver to choose the one that accepts writes."""
        account, _, rest = self.url.partition("@")
        network, _, name = rest.partition(".10:5000")
        return f"{account}@{','.join(f'{network}.{number}' for number in (1, 2, 3))}{name}"

    def patronictl(self, *words: str) -> str:
        """Return what the command prints. It must succeed."""
        done = subprocess.run(
            [self.folder / "patronictl", *words], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def roles(self) -> dict[str, str]:
        """Return the role of each running node, by name: Leader, Sync Standby or Replica."""
        members: list[dict[str, Any]] = json.loads(self.patronictl("list", "-f", "json"))
        return {it["Member"]: it["Role"] for it in members if it["State"] in ("running", "streaming")}

    @property
    def leader(self) -> str:
        """The name of the leader; "" while there is none."""
        return next((name for name, role in self.roles().items() if role == "Leader"), "")

    def switch_over(self) -> None:
        """Make a standby the leader, as planned."""
        self.patronictl("switchover", "--force")

    def kill_leader(self) -> None:
        """Send SIGKILL to Patroni and PostgreSQL of the leader."""
        leader = self.leader
        postmaster = self._postmaster(leader)
        for pid in (self._patroni(leader), postmaster, *children_of(postmaster)):
            os.kill(pid, signal.SIGKILL)

    def kill_patroni_of_leader(self) -> None:
        """Kill the Patroni process of the leader. Its PostgreSQL keeps running."""
        os.kill(self._patroni(self.leader), signal.SIGKILL)

    def restore_all_nodes(self) -> None:
        """Start the Patroni of each node that was killed. Wait until three nodes run, one as synchronous standby."""
        for node in ("one", "two", "three"):
            if not Path(f"/proc/{self._patroni(node)}").exists():
                process = subprocess.Popen([self.folder / "start", node])
                # If it is not reaped, the stop of the cluster does not notice its end.
                threading.Thread(target=process.wait, daemon=True).start()
        wait_until(
            lambda: "Sync Standby" in self.roles().values() and len(self.roles()) == 3,
            "three nodes run",
            FAILOVER_SECONDS,
        )

    def wait_until_led_by_other_than(self, node: str) -> None:
        """Wait until another node is the leader."""
        wait_until(lambda: self.leader not in ("", node), f"a leader other than {node}", FAILOVER_SECONDS)

    def make_asynchronous(self) -> None:
        """Acknowledge commits that no standby has."""
        self.patronictl("edit-config", "--force", "-s", "synchronous_mode=false", "-s", "synchronous_mode_strict=false")
        self.wait_until_value("SHOW synchronous_standby_names", "")

    def isolate_and_kill_leader(self) -> None:
        """Kill the leader while its commits wait for a standby."""
        self.hold_replication()
        self.wait_until_value("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'", True)
        self.kill_leader()

    def hold_replication(self) -> None:
        """Stop the processes of the leader that send its commits to the standbys."""
        # A standby that connects later would get the commits from a process that is not stopped.
        self.wait_until_value("SELECT count(*) FROM pg_stat_replication", 2)
        for pid in children_of(self._postmaster(self.leader)):
            if b"walsender" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGSTOP)

    def value_of(self, query: LiteralString) -> Any:
        """Return the result of this query at the leader; None while there is no leader."""
        try:
            with psycopg.connect(self.url, connect_timeout=3) as connection:
                (value,) = connection.execute(query).fetchone() or (None,)
                return value
        except psycopg.OperationalError:
            return None

    def wait_until_value(self, query: LiteralString, value: object) -> None:
        """Wait until the query returns this value at the leader."""
        wait_until(lambda: self.value_of(query) == value, f"{query}: {value}", FAILOVER_SECONDS)

    def _patroni(self, node: str) -> int:
        return int((self.folder / node / "patroni.pid").read_text())

    def _postmaster(self, node: str) -> int:
        return int((self.folder / node / "postgresql/jeton/postmaster.pid").read_text().split()[0])


@contextmanager
def patroni_cluster() -> Iterator[PatroniCluster]:
    """Run a trial cluster in synchronous mode until the end of the block."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    if missing := [name for name in ("patroni", "etcd", "haproxy") if shutil.which(name, path=path) is None]:
        raise NoPatroniError(f"not found: {missing} (Debian: apt-get install patroni etcd-server haproxy)")
    with tempfile.TemporaryDirectory(prefix="jeton-patroni-", dir="/tmp") as name:
        folder = Path(name)
        process = subprocess.Popen([TRIAL, folder], stdout=subprocess.DEVNULL)
        try:
            ready = folder / "jeton.env"
            wait_until(lambda: ready.exists() or process.poll() is not None, "the cluster is ready", SETUP_SECONDS)
            assert process.poll() is None, "the trial cluster did not start"
            yield PatroniCluster(folder)
        finally:
            process.terminate()
            process.wait(SETUP_SECONDS)
