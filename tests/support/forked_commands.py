"""The command `jeton` and scripts of Python, run as forks of one process that has imported what they need.

Importing takes most of their time. A fork gets the arguments, streams, folder, environment and limit of open files of
the requesting process. If that process ends, the fork and its children are killed.
"""

import marshal
import os
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

from support.checkout import ROOT
from support.forking_server import COMMAND, NUMBER, PYTHON
from support.server_processes import JETON, Process, ProgramLauncher, environment, wait_until

# Without imports that are not compiled in: it starts ten times as fast as the command. With a path of modules that is
# not ours, such as that of opentelemetry-instrument, or with an option of Python, it becomes the installed program.
_CLIENT: Final = """#!{python} -IS
import marshal, posix, sys, _signal, _socket
words = [{program!r}, *sys.argv[1:]]
has_option = {kind!r} == b"p" and (len(words) == 1 or words[1][0] == "-" and words[1] not in ("-", "-c", "-m"))
if has_option or not {{*posix.environ.get(b"PYTHONPATH", b"").split(b":")}} <= {modules!r}:
    posix.execv(words[0], words)
server = _socket.socket(_socket.AF_UNIX)
server.connect({address!r})
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([{kind!r}], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(marshal.dumps([words, posix.getcwd(), posix.environ]))
pid = int.from_bytes(server.recv(8, _socket.MSG_WAITALL), "big")
for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
    _signal.signal(number, lambda number, _: posix.kill(pid, number))
status = int.from_bytes(server.recv(8, _socket.MSG_WAITALL), "big", signed=True)
if status < 0:
    _signal.signal(-status, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -status)
sys.exit(status)
"""


_OURS: Final = {b"", os.fsencode(ROOT / "server"), os.fsencode(ROOT / "clients" / "python")}


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
        self._address, self._programs = folder / "socket", folder / "bin"

    @cached_property
    def command(self) -> Path:
        """The path of a script that requests a fork and behaves like the command."""
        return self._client("jeton", JETON, COMMAND)

    @cached_property
    def python(self) -> Path:
        """The path of a script that requests a fork and behaves like Python; in the same folder."""
        return self._client("python3", Path(sys.executable), PYTHON)

    def _client(self, name: str, program: Path, kind: bytes) -> Path:
        assert self._server.poll() is None
        script = self._programs / name
        script.parent.mkdir(exist_ok=True)
        words = {"python": sys.executable, "program": str(program), "address": str(self._address), "kind": kind}
        script.write_text(_CLIENT.format(modules=_OURS, **words))
        script.chmod(0o755)
        return script

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
            socket.send_fds(connection, [COMMAND], [nothing.fileno(), output.fileno(), output.fileno()])
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        connection.sendall(marshal.dumps([list(command), str(folder), encoded]))
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
