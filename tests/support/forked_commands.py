"""The command `jeton`, run as forks of one process that has imported it, because importing takes most of the time.

A fork gets the arguments, streams, folder, environment and limit of open files of the requesting process. If that
process ends, the fork and its children are killed.
"""

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Final

from support.forking_server import NUMBER
from support.server_processes import JETON, Process, ProgramLauncher, environment, wait_until

# Without the modules of the tests: it starts ten times as fast as the command. With a path of modules that is not ours,
# such as that of opentelemetry-instrument, it becomes the installed command.
_CLIENT: Final = """#!{python} -IS
import json, os, resource, signal, socket, struct, sys
if os.environ.get("PYTHONPATH", "{modules}") != "{modules}":
    os.execv("{jeton}", ["{jeton}", *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect("{address}")
    socket.send_fds(server, [b"."], [0, 1, 2])
    limits, command = resource.getrlimit(resource.RLIMIT_NOFILE), ["{jeton}", *sys.argv[1:]]
    server.sendall(json.dumps([command, os.getcwd(), dict(os.environ), limits]).encode() + b"\\n")
    pid, = struct.unpack("{number}", server.recv(8, socket.MSG_WAITALL))
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    status, = struct.unpack("{number}", server.recv(8, socket.MSG_WAITALL))
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


class ForkedProcess:
    """A forked command with the interface of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None
        self.pid = self._number()

    def _number(self) -> int:
        return int(NUMBER.unpack(self._connection.recv(NUMBER.size, socket.MSG_WAITALL))[0])

    def poll(self) -> int | None:
        """Return the exit status, or None if the process is running."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status. Raise TimeoutExpired if the process runs longer."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def _end(self) -> None:
        self.returncode = self._number()
        self._connection.close()


class ForkingLauncher(ProgramLauncher):
    """Launcher that runs `jeton` as forks, and other commands as programs. The forking process starts on first use."""

    def __init__(self, folder: Path) -> None:
        self._address, self._command = folder / "socket", folder / "bin" / "jeton"

    @cached_property
    def command(self) -> Path:
        """The path of a script that requests a fork and behaves like the command."""
        self._command.parent.mkdir()
        text = _CLIENT.format(
            python=sys.executable,
            jeton=JETON,
            address=self._address,
            number=NUMBER.format,
            modules=environment("")["PYTHONPATH"],
        )
        self._command.write_text(text)
        self._command.chmod(0o755)
        assert self._server.poll() is None
        return self._command

    @cached_property
    def _server(self) -> subprocess.Popen[bytes]:
        """The forking process. It ends with its standard input, so it does not outlive this process."""
        variables = environment("") | {"PYTHONPATH": os.pathsep.join(sys.path)}
        words = [sys.executable, "-m", "support.forking_server", str(self._address)]
        server = subprocess.Popen(words, env=variables, stdin=subprocess.PIPE, start_new_session=True)
        wait_until(self._address.exists, "the process with the commands", 20)
        return server

    def begin(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], output: IO[bytes]) -> Process:
        """Start a command without input, in its own process group."""
        if command[0] != str(JETON):
            return super().begin(command, folder, variables, output)
        assert self._server.poll() is None
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._address))
        with Path(os.devnull).open("rb") as nothing:
            socket.send_fds(connection, [b"."], [nothing.fileno(), output.fileno(), output.fileno()])
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        connection.sendall(json.dumps([command, str(folder), dict(variables), limits]).encode() + b"\n")
        return ForkedProcess(connection)

    def run(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, and wait until it ends."""
        program = str(self.command) if command[0] == str(JETON) else command[0]
        return super().run([program, *command[1:]], folder, variables)

    def close(self) -> None:
        if "_server" in vars(self):
            with self._server:
                """Leaving the block closes its standard input, and waits for its end."""


@contextmanager
def forking_launcher() -> Iterator[ForkingLauncher]:
    with tempfile.TemporaryDirectory(prefix="jeton-forks-") as folder:
        launcher = ForkingLauncher(Path(folder))
        yield launcher
        launcher.close()
