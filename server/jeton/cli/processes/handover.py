"""Handover of listening sockets and worker processes to a new program in the same process (execve)."""

import os
import socket
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from jeton.cli.processes.metrics_listener import MetricsListener
from jeton.frozen import Frozen

# Not a setting: written and read by this file only.
_VARIABLE: Final = "_JETON_HANDOVER"


class Handover(Frozen):
    """What the program before has left: sockets, and the process id, number and channel of each worker.

    The folder of the metrics stays as well, and with it all that was counted.
    """

    sockets: Sequence[socket.socket]
    metrics: MetricsListener
    workers: Sequence[tuple[int, int, socket.socket]]


def hand_over(handover: Handover) -> NoReturn:
    """Start this program again in this process. File descriptors, children and blocked signals stay."""
    workers = [f"{pid},{number},{channel.fileno()}" for pid, number, channel in handover.workers]
    parts = [_numbers(handover.sockets), _numbers(handover.metrics.sockets), handover.metrics.folder or "", *workers]
    os.environ[_VARIABLE] = ";".join(parts)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command line of this process


def take_over() -> Handover | None:
    """Return what was handed over, or None if this program was started in the ordinary way."""
    text = os.environ.pop(_VARIABLE, None)
    if text is None:
        return None
    listening, metrics, folder, *workers = text.split(";")
    triples = [it.split(",") for it in workers]
    return Handover(
        _sockets(listening),
        MetricsListener(_sockets(metrics), folder or None),
        [(int(pid), int(number), socket.socket(fileno=int(channel))) for pid, number, channel in triples],
    )


def _numbers(sockets: Sequence[socket.socket]) -> str:
    return ",".join(str(it.fileno()) for it in sockets)


def _sockets(numbers: str) -> list[socket.socket]:
    return [socket.socket(fileno=int(it)) for it in numbers.split(",") if it]
