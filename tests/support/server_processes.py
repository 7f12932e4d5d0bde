"""Real processes: `jeton` as it is installed, on a port of its own, started, watched, signalled and stopped."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from support.checkout import ROOT
from support.in_process_server import MASTER_KEY

JETON: Final = Path(sys.executable).with_name("jeton")
START_SECONDS: Final = 20
STOP_SECONDS: Final = 15
# Below the ports that the system gives to clients, so that no connection of another test sits on one.
_PORTS: Final = range(20000, 32000)

_taken: set[int] = set()


def environment(database_url: str, **variables: str) -> dict[str, str]:
    """For a process of this checkout, with settings named as in the environment, without the prefix."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JETON_")}
    settings = {
        "DATABASE__URL": database_url,
        "SECRETS__MASTER_KEY": MASTER_KEY,
        "PASSWORDS__MEMORY_KIB": "8",
        **variables,
    }
    named = {f"JETON_{name}": value for name, value in settings.items() if value}
    return kept | {"PYTHONPATH": str(ROOT / "server")} | named


def free_port() -> int:
    """A port on which nobody listens, never given out twice by this process, and seldom by two."""
    for _ in range(1000):
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            if port not in _taken and probe.connect_ex(("127.0.0.1", port)) != 0:
                _taken.add(port)
                return port
    raise AssertionError("no free port found")


def wait_until(seen: Callable[[], Any], what: str, seconds: float) -> None:
    """Looks again and again until `seen()` is true; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {seconds} seconds: {what}"
        time.sleep(0.02)


@dataclass
class ServerProcess:
    """One `jeton serve`, with its workers."""

    port: int
    folder: Path
    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    log_begins: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """All that it has written so far."""
        return (self.folder / f"log-{self.port}").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def begin(self) -> None:
        """Starts it, and does not wait."""
        with (self.folder / f"log-{self.port}").open("ab") as log:
            self.log_begins = len(self.log)
            self.process = subprocess.Popen(
                [JETON, "serve", "--port", str(self.port), *self.arguments],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready_or_dead, f"{self.url} ready", START_SECONDS)
        assert self.process is not None
        assert self.process.poll() is None, self.log

    def _is_ready_or_dead(self) -> bool:
        """The log is its own: what answers at the port might be somebody else's."""
        assert self.process is not None
        listens = f"running on {self.url}" in self.log[self.log_begins :]
        return self.process.poll() is not None or (listens and self.answers("/readyz"))

    def answers(self, path: str) -> bool:
        try:
            with urlopen(self.url + path, timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def start(self) -> None:
        self.begin()
        self.wait_until_ready()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and all its workers: nothing is finished."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """The exit status."""
        assert self.process is not None
        return self.process.wait(STOP_SECONDS)


@contextmanager
def server_process(
    folder: Path, database_url: str, *arguments: str, begin_only: bool = False, **variables: str
) -> Iterator[ServerProcess]:
    """A server that answers; whatever is left of it at the end is killed."""
    server = ServerProcess(free_port(), folder, environment(database_url, **variables), arguments)
    try:
        server.begin()
        if not begin_only:
            server.wait_until_ready()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


def run_jeton(folder: Path, database_url: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [JETON, *words],
        cwd=folder,
        env=environment(database_url, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
