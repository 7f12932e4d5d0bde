"""Processes of `jeton`, started on their own ports, observed, signalled and stopped.

They run the installed command unless `launcher` is replaced, as tests/conftest.py does.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.request import urlopen

from support.checkout import ROOT
from support.in_process_server import MASTER_KEY

JETON: Final = Path(sys.executable).with_name("jeton")
START_SECONDS: Final = 20
STOP_SECONDS: Final = 15
# Below the ephemeral ports, so that no client connection of another test uses one.
_PORTS: Final = range(20000, 32000)

_taken: set[int] = set()


def environment(database_url: str, **variables: str) -> dict[str, str]:
    """Return the environment of a process of this checkout.

    `variables` are settings, named without the prefix, or constants that a forked command replaces.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JETON_")}
    settings = {
        "DATABASE__URL": database_url,
        "SECRETS__MASTER_KEY": MASTER_KEY,
        "PASSWORDS__MEMORY_KIB": "8",
        **variables,
    }
    named = {name if "." in name else f"JETON_{name}": value for name, value in settings.items() if value}
    # By default, servers of several tests would use the same port.
    named.setdefault("JETON_METRICS__LISTEN", "")
    return kept | {"PYTHONPATH": str(ROOT / "server")} | named


def free_port() -> int:
    """Return an unused port, never the same twice in this process, and seldom the same in two processes."""
    for _ in range(1000):
        port = random.choice(_PORTS)
        if port not in _taken and not is_listening(port):
            _taken.add(port)
            return port
    raise AssertionError("no free port found")


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children_of(pid: int) -> set[int]:
    """Return the running child processes that the main thread of this process started."""
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()}


def wait_until(condition: Callable[[], Any], what: str, seconds: float) -> None:
    """Wait until `condition()` is true, checking every 20 milliseconds. Fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} seconds: {what}"
        time.sleep(0.02)


class Process(Protocol):
    """The part of `subprocess.Popen` that tests use."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...


class Launcher(Protocol):
    """Starts commands in a folder with these environment variables."""

    def begin(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str], output: IO[bytes]
    ) -> Process: ...

    def run(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]: ...


class ProgramLauncher:
    """Launcher that runs commands as programs."""

    def begin(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], output: IO[bytes]) -> Process:
        """Start a command without input, in its own process group."""
        return subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def run(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, and wait until it ends."""
        return subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False
        )


launcher: Launcher = ProgramLauncher()


@dataclass
class ServerProcess:
    """One `jeton serve` with its workers, and other commands in the same folder with the same settings."""

    port: int
    folder: Path
    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = (str(JETON), "serve")
    process: Process | None = field(default=None, repr=False)
    log_begins: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The log so far."""
        return (self.folder / f"log-{self.port}").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def workers(self) -> set[int]:
        """The process ids of the workers."""
        return children_of(self.pid)

    @property
    def _environment(self) -> dict[str, str]:
        return {**self.environment, "JETON_SERVER__PORT": str(self.port)}

    def begin(self) -> None:
        """Start the server without waiting."""
        with (self.folder / f"log-{self.port}").open("ab") as log:
            self.log_begins = len(self.log)
            self.process = launcher.begin([*self.command, *self.arguments], self.folder, self._environment, log)

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        wait_until(self._is_ready_or_dead, f"{self.url} ready", seconds)
        assert self.process is not None
        assert self.process.poll() is None, self.log

    def _is_ready_or_dead(self) -> bool:
        """Return whether the server is ready or has ended.

        The log is checked too, because another server might answer at the port.
        """
        assert self.process is not None
        listens = f"running on {self.url}" in self.log[self.log_begins :]
        return self.process.poll() is not None or (listens and self.answers("/readyz"))

    def answers(self, path: str) -> bool:
        try:
            with urlopen(self.url + path, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def kids(self) -> set[str]:
        """The ids of the published keys."""
        with urlopen(f"{self.url}/.well-known/jwks.json", timeout=5) as response:
            return {key["kid"] for key in json.load(response)["keys"]}

    def start(self) -> None:
        self.begin()
        self.wait_until_ready()

    @contextmanager
    def serving(self) -> Iterator["ServerProcess"]:
        """Start the server. Kill its processes at the end of the block."""
        try:
            self.start()
            yield self
        finally:
            self.kill()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL to the server and all its workers."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> int:
        """Wait for the end of the server. Return the exit status."""
        assert self.process is not None
        return self.process.wait(STOP_SECONDS)

    def output(self, *words: str) -> str:
        """Run another command, which must succeed. Return its output."""
        done = launcher.run([self.command[0], *words], self.folder, self._environment)
        assert done.returncode == 0, f"jeton {' '.join(words)}: {done.stderr}{done.stdout}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """Run another command with --json. Return the parsed output."""
        return json.loads(self.output(*words, "--json"))


@contextmanager
def server_process(
    folder: Path, database_url: str, *arguments: str, begin_only: bool = False, **variables: str
) -> Iterator[ServerProcess]:
    """Start a server, and wait until it is ready. Kill its processes at the end of the block."""
    server = ServerProcess(free_port(), folder, environment(database_url, **variables), arguments)
    try:
        server.begin()
        if not begin_only:
            server.wait_until_ready()
        yield server
    finally:
        server.kill()


def run_jeton(folder: Path, database_url: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command, and wait until it ends."""
    return launcher.run([str(JETON), *words], folder, environment(database_url, **variables))
