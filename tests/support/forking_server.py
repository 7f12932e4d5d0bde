"""The process that imports the command `jeton` and forks for each command; see forked_commands.py.

It sends two numbers to each connection: the pid, and at the end the exit status, which is negative after a signal.
"""

import atexit
import gc
import importlib
import marshal
import os
import resource
import runpy
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

import click

from jeton.cli import jeton, main
from jeton.storage.clock import Clock
from support.replaced_constants import replace_constants

NUMBER: Final = struct.Struct("!q")
# The first byte of a request.
COMMAND: Final = b"j"
PYTHON: Final = b"p"
# Beside the commands themselves: what they import when they need it.
_IMPORTED_LATE: Final = {
    COMMAND: ("alembic.command", "alembic.config", "alembic.context", "uvicorn.lifespan.on", "uvicorn.loops.uvloop"),
    PYTHON: ("fastapi", "httpx2", "jeton_client.fastapi", "joserfc.jwk"),
}
_PEER: Final = struct.Struct("3i")


@dataclass(frozen=True)
class Forks:
    """The running commands, by connection and by pidfd."""

    listener: socket.socket
    poll: select.poll = field(default_factory=select.poll)
    pids: dict[int, int] = field(default_factory=dict)
    connections: dict[int, socket.socket] = field(default_factory=dict)

    def serve(self) -> None:
        """Fork for each connection until standard input ends. Return only in a fork, which then runs the command."""
        self.poll.register(self.listener, select.POLLIN)
        self.poll.register(0, 0)
        while True:
            for number, _ in self.poll.poll():
                if number == self.listener.fileno():
                    connection, _ = self.listener.accept()
                    _import(connection.recv(1, socket.MSG_PEEK))
                    if (pid := os.fork()) == 0:
                        self._close()
                        _become_command(connection)
                        return
                    self._watch(pid, connection)
                elif number in self.pids:
                    self._end(number)
                else:
                    self._kill(number)

    def _watch(self, pid: int, connection: socket.socket) -> None:
        """Wait for the end of the process and of its client."""
        ended = os.pidfd_open(pid)
        self.pids[ended], self.connections[ended] = pid, connection
        self.poll.register(ended, select.POLLIN)
        self.poll.register(connection, 0)

    def _end(self, ended: int) -> None:
        _, status = os.waitpid(self.pids.pop(ended), 0)
        self.poll.unregister(ended)
        os.close(ended)
        with self.connections.pop(ended) as connection, suppress(OSError, KeyError):
            connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
            self.poll.unregister(connection)

    def _kill(self, number: int) -> None:
        """Kill the process of a closed connection, and its children; kill all if standard input has ended."""
        self.poll.unregister(number)
        for ended, connection in self.connections.items():
            if number in (0, connection.fileno()):
                with suppress(ProcessLookupError):
                    os.killpg(self.pids[ended], signal.SIGKILL)
        if number == 0:
            sys.exit()

    def _close(self) -> None:
        self.listener.close()
        for ended, connection in self.connections.items():
            os.close(ended)
            connection.close()


def _become_command(connection: socket.socket) -> None:
    """Apply what the client has sent: streams, command, folder, environment; and its limits."""
    os.setsid()
    with connection:
        # Not before there is a process group of this number: the client may end it at once.
        connection.sendall(NUMBER.pack(os.getpid()))
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as request:
            command, folder, variables = marshal.load(request)
        client, _, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        resource.setrlimit(resource.RLIMIT_NOFILE, resource.prlimit(client, resource.RLIMIT_NOFILE))
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(variables)
    replace_constants(os.environ)
    encoding = os.environ.get("PYTHONIOENCODING")
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", encoding=encoding, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    if moved := os.environ.get("TESTS_MOVED_CLOCK"):
        _move_clock(moved)
    # A server that re-executes itself becomes the installed command.
    sys.argv, sys.orig_argv = command, [sys.executable, *command]


def _move_clock(file: str) -> None:
    """Let the clock of the server be ahead by as many seconds as this file has bytes."""
    now = Clock.now
    setattr(Clock, "now", lambda clock: now(clock) + Path(file).stat().st_size)  # noqa: B010


def _run_python(arguments: Sequence[str]) -> None:
    """Run as `python` does: `-c CODE`, `-m MODULE`, a file, or `-` for standard input."""
    first, *rest = arguments
    sys.path.insert(0, "" if first.startswith("-") else str(Path(first).parent))
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    script = sys.modules["__main__"] = ModuleType("__main__")
    if first == "-c":
        code = rest.pop(0)
    else:
        code = sys.stdin.read() if first == "-" else Path(first).read_text(encoding="utf-8")
    sys.argv = [first, *rest]
    exec(compile(code, first, "exec"), vars(script))


def _import(kind: bytes) -> None:
    """Import what most programs of this kind need."""
    for name in _IMPORTED_LATE.get(kind, ()):
        importlib.import_module(name)
    gc.freeze()


def _import_commands(group: click.Group) -> None:
    """Import all commands, which command groups otherwise import on first use."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            _import_commands(command)


def _serve(address: str) -> None:
    _import_commands(jeton)
    _import(COMMAND)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.unready")
        listener.listen()
        Path(f"{address}.unready").rename(address)
        Forks(listener).serve()
    status: object = None
    try:
        if sys.argv[0] == sys.executable:
            _run_python(sys.argv[1:])
        else:
            main()
    except SystemExit as end:
        status = end.code
    if isinstance(status, int | None):
        _exit(status or 0)
    sys.exit(str(status))


def _exit(status: int) -> None:
    """End as the interpreter does, but without freeing all objects, which takes longer than most commands."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if sys.stdout is not None:
        sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1])
