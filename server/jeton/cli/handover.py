"""Handover of listening sockets and worker processes to a new program in the same process (execve)."""

import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

# Not a setting: written and read by this file only.
_VARIABLE: Final = "_JETON_HANDOVER"


@dataclass(frozen=True, slots=True)
class Handover:
    """What the program before has left: sockets, and the workers' process ids and channels."""

    sockets: Sequence[socket.socket]
    workers: Sequence[tuple[int, socket.socket]]


def hand_over(sockets: Sequence[socket.socket], workers: Sequence[tuple[int, socket.socket]]) -> NoReturn:
    """Start this program again in this process. File descriptors, children and blocked signals stay."""
    listening = ",".join(str(it.fileno()) for it in sockets)
    os.environ[_VARIABLE] = ";".join([listening, *(f"{pid},{channel.fileno()}" for pid, channel in workers)])
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command line of this process


def take_over() -> Handover | None:
    """Return what was handed over, or None if this program was started in the ordinary way."""
    text = os.environ.pop(_VARIABLE, None)
    if text is None:
        return None
    listening, *workers = text.split(";")
    pairs = [it.split(",") for it in workers]
    return Handover(
        [socket.socket(fileno=int(it)) for it in listening.split(",")],
        [(int(pid), socket.socket(fileno=int(channel))) for pid, channel in pairs],
    )
