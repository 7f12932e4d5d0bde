"""The process that imports the command `jeton` and forks for each command; see forked_commands.py.

It sends two numbers to each connection: the pid, and at the end the exit status, which is negative after a signal.
"""

import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from jeton.cli import jeton, main

NUMBER: Final = struct.Struct("!q")


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
    """Apply what the client has sent: streams, command, folder, environment, limits."""
    os.setsid()
    with connection:
        # Not before there is a process group of this number: the client may end it at once.
        connection.sendall(NUMBER.pack(os.getpid()))
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as request:
            command, folder, variables, limits = json.loads(request.readline())
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    # A server that re-executes itself becomes the installed command.
    sys.argv, sys.orig_argv = command, [sys.executable, *command]


def _import_commands(group: click.Group) -> None:
    """Import all commands, which command groups otherwise import on first use."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            _import_commands(command)


def _serve(address: str) -> None:
    _import_commands(jeton)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.unready")
        listener.listen()
        Path(f"{address}.unready").rename(address)
        Forks(listener).serve()


if __name__ == "__main__":
    _serve(sys.argv[1])
    main()
