"""Number of concurrent password hashes, from the cores and memory that the process may use."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jeton.crypto.hash_costs import MAX_MEMORY_KIB
from jeton.frozen import Frozen

# Share of the memory for hashes; the rest is for everything else in the process.
_MEMORY_SHARE: Final = 0.5


class Resources(Frozen):
    """Cores and memory that a process may use, shared with the other processes of its control group."""

    cores: float
    memory_bytes: int


def process_resources(root: Path = Path("/")) -> Resources:
    """Return the limits by CPU affinity, control groups (versions 1 and 2) and the machine.

    `root` is the directory that contains proc and sys.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Resources(
        min([float(cores), *_cpu_quotas(root)]),
        min([memory, *_memory_limits(root)]),
    )


def hashing_concurrency(configured: int, resources: Resources, workers: int, memory_kib: int, lanes: int) -> int:
    """Return `passwords.concurrency`, or if it is 0, one worker's share of the resources, at least 1.

    A hash takes a core for each lane, and the larger memory of the settings and of an imported hash.
    """
    if configured:
        return configured
    by_cores = resources.cores / (workers * lanes)
    hash_bytes = max(memory_kib, MAX_MEMORY_KIB) * 1024
    by_memory = resources.memory_bytes * _MEMORY_SHARE / (workers * hash_bytes)
    return max(1, int(min(by_cores, by_memory)))


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in _control_groups(root, "cpu"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield from _ratio(quota, period)
        yield from _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _memory_limits(root: Path) -> Iterator[int]:
    for folder in _control_groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _read(folder / name)
            if limit.isdecimal() and int(limit) > 0:
                yield int(limit)


def _ratio(quota: str, period: str) -> Iterator[float]:
    """Yield the number of cores of a quota; nothing for -1 and `max`, which mean no limit."""
    if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of the process's control group and its parents: each may set a limit.

    In a container the path may be one of the host, and only the mount point exists.
    """
    mounts = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            mounted = mounts
        elif controller in controllers.split(","):
            mounted = mounts / controller
        else:
            continue
        folder = Path(*(part for part in path.split("/") if part not in ("", "..")))
        yield from (mounted / it for it in (folder, *folder.parents))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
