"""Processor time of process trees, and of a bare RS256 signature while all cores are busy."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

_TICKS = os.sysconf("SC_CLK_TCK")


def of_process(pid: int) -> float:
    """Return the user and system time of a process and of its ended children, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def descendants(pid: int) -> list[int]:
    """Return the running descendants of this process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += [int(child), *descendants(int(child))]
    return found


def of_tree(pid: int) -> float:
    """Return the processor time of a process and its descendants, in seconds."""
    return of_all([pid, *descendants(pid)])


def of_all(pids: Iterable[int]) -> float:
    return sum(of_process(pid) for pid in pids)


def _sign(seconds: float) -> float:
    key = rsa.generate_private_key(65537, 2048)
    message, count = b"x" * 700, 0
    end, start = time.monotonic() + seconds, time.process_time()
    while time.monotonic() < end:
        key.sign(message, padding.PKCS1v15(), SHA256())
        count += 1
    return (time.process_time() - start) / count


def of_signature(seconds: float = 1.5) -> float:
    """Return the processor time of one RS256 signature (2048 bits) in seconds, with all cores busy."""
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return statistics.mean(pool.map(_sign, [seconds] * cores))
