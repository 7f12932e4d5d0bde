"""A PostgreSQL cluster for a single test, which can be crashed, stopped, restarted and suspended."""

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

from support.server_processes import children_of, wait_until


@dataclass(frozen=True)
class Cluster:
    """A running cluster, identified by the URL of its first database."""

    url: str

    @property
    def folder(self) -> Path:
        return Path(str(make_url(self.url).query["host"]))

    def new_database(self, template: str = "template0") -> str:
        """Return the URL of a copy of the first database, with durable commits."""
        name = f"faults_{uuid4().hex}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
            # By default the cluster is fast, and a crash loses acknowledged commits.
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = on"))
        engine.dispose()
        return self.url.replace("/postgres?", f"/{name}?")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _binaries(self) -> Path:
        return Path(shlex.split((self._data / "postmaster.opts").read_text())[0]).parent

    def damage(self) -> str:
        """Check tables and indexes of the first database by pg_amcheck. Return its complaints, "" if there are none."""
        words = ["-h", str(self.folder), "-U", "jeton", "--install-missing", "--heapallindexed", "postgres"]
        done = subprocess.run(
            [self._binaries / "pg_amcheck", *words], capture_output=True, text=True, timeout=300, check=False
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def _pg_ctl(self, *words: str | Path) -> None:
        owner = self._data.stat()
        account: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
        subprocess.run(
            [self._binaries / "pg_ctl", "-D", self._data, "-w", *words],
            check=True,
            capture_output=True,
            timeout=30,
            cwd="/tmp",
            **account,
        )

    def stop(self, mode: str) -> None:
        """Stop the cluster: `fast` is an orderly shutdown, `immediate` a crash, after which the start recovers."""
        self._pg_ctl("-m", mode, "stop")

    def kill(self) -> None:
        """Send SIGKILL to all processes of the cluster. Remove its lock files, as a reboot does."""
        self._signal(signal.SIGKILL)
        # A dead postmaster that is not reaped looks alive to the next one.
        for lock in (self._data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            lock.unlink()

    def start(self) -> None:
        options = shlex.split((self._data / "postmaster.opts").read_text())[1:]
        given = shlex.join(options[2:]) if options[0] == "-D" else shlex.join(options)
        self._pg_ctl("-l", self.folder / "log", "-o", given, "start")

    def hang(self) -> None:
        """Suspend all processes of the cluster: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def set_read_only(self, on: bool) -> None:
        """Refuse writes in all transactions that begin from now on, also on open connections."""
        value = "on" if on else "off"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
            connection.execute(text("SELECT pg_reload_conf()"))
            shown = text("SHOW default_transaction_read_only")
            wait_until(lambda: connection.scalar(shown) == value, f"read-only is {value}", 10)
        engine.dispose()

    def _signal(self, number: signal.Signals) -> None:
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        # The parent first, so that it starts no more processes.
        os.kill(postmaster, number)
        for child in children_of(postmaster):
            # A process may end before the signal is sent.
            with suppress(ProcessLookupError):
                os.kill(child, number)
