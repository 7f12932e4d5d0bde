"""The command `jeton` as forks of one process, which has imported everything: importing takes most of a command's time.

`jeton serve` is the exception: it is the installed command.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from jeton.cli import jeton, main
from support.server_processes import JETON, environment, wait_until

_CLIENT: Final = """#!{python} -IS
import json, os, socket, sys
if sys.argv[1:2] == ["serve"]:
    os.execv("{jeton}", ["{jeton}", *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect("{address}")
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8)))
"""


@contextmanager
def forked_commands(folder: Path) -> Iterator[Path]:
    """Yield a folder for PATH, which holds such a command `jeton`."""
    address, command = folder / "socket", folder / "bin" / "jeton"
    command.parent.mkdir()
    command.write_text(_CLIENT.format(python=sys.executable, jeton=JETON, address=address))
    command.chmod(0o755)
    variables = environment("") | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-m", "support.forked_commands", str(address)], env=variables) as server:
        try:
            wait_until(address.exists, "the process with the commands", 20)
            yield command.parent
        finally:
            server.terminate()


def _serve(address: str) -> None:
    """Answer each connection with the exit status of the command that it asks for."""
    _import_commands(jeton)
    signal.signal(signal.SIGCHLD, lambda *_: os.waitpid(-1, os.WNOHANG))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.unready")
        listener.listen()
        Path(f"{address}.unready").rename(address)
        while True:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    _run(connection)


def _import_commands(group: click.Group) -> None:
    """Groups import a command when it is looked up."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            _import_commands(command)


def _run(connection: socket.socket) -> None:
    """Run one command with the streams, folder and environment of the client. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    words, folder, variables = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "w" if number else "r") for number in range(3))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["jeton", *words]
    status: object = 1
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        connection.sendall(str(status).encode())
        os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
