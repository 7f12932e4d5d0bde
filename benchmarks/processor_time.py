"""Processor time of processes and threads, and of bare signatures while all cores are busy."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

_TICKS = os.sysconf("SC_CLK_TCK")
_SECONDS = 1.0

Measure = Callable[[], float]


def of_process(pid: int) -> float:
    """Return the user and system time of a process and of its ended children, in seconds."""
    return _of_stat(Path(f"/proc/{pid}/stat"), 4)


def of_main_thread(pid: int) -> float:
    """Return the user and system time of the first thread of a process, in seconds: of a server, the event loop."""
    return _of_stat(Path(f"/proc/{pid}/task/{pid}/stat"), 2)


def _of_stat(file: Path, count: int) -> float:
    fields = file.read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11 : 11 + count]) / _TICKS


def descendants(pid: int) -> list[int]:
    """Return the running descendants of this process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += [int(child), *descendants(int(child))]
    return found


def of_tree(pid: int) -> float:
    """Return the processor time of a process and its descendants, in seconds."""
    return sum(of_process(it) for it in [pid, *descendants(pid)])


def _sign(algorithm: str) -> float:
    sign = _rs256() if algorithm == "RS256" else _es256()
    count, end, start = 0, time.monotonic() + _SECONDS, time.process_time()
    while time.monotonic() < end or not count:
        sign(b"x" * 700)
        count += 1
    return (time.process_time() - start) / count


@cache
def _rs256() -> Callable[[bytes], bytes]:
    key = rsa.generate_private_key(65537, 2048)
    return lambda message: key.sign(message, padding.PKCS1v15(), SHA256())


@cache
def _es256() -> Callable[[bytes], bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    return lambda message: key.sign(message, ec.ECDSA(SHA256()))


@contextmanager
def signatures(algorithm: str = "RS256") -> Iterator[Measure]:
    """Yield a function that returns the processor time of one signature in seconds (RS256: 2048 bits), all cores busy.

    The processes that sign are started once, with the environment of that moment.
    """
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        yield lambda: statistics.mean(pool.map(_sign, [algorithm] * cores, chunksize=1))
