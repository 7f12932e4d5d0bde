"""Metrics of several worker processes: each keeps its counts in files of one folder, and any can add them up.

A file belongs to a number, and not to a process. Numbers are used again: the worker that replaces another one continues
its counts, so that none is lost or counted twice, and there are never more files than workers at the same time.
"""

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from jeton.observability.metrics import REGISTRY

# Where prometheus_client looks for the folder.
_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
# Of each file, of which a process has four: more than all series need.
_RESERVED_BYTES: Final = 2**20
# What an entry takes beside its name.
_ENTRY_BYTES: Final = 32


class _ReservedFile(MmapedDict):
    """A file of counts that has its blocks on the disk before they are written.

    On a full disk, a process that writes into a hole of a file in memory is killed, and so is its successor.
    """

    def __init__(self, filename: str) -> None:
        path = Path(filename)
        if not path.exists():
            # Under another name until it has its size: another process may read all files at any time.
            new = path.with_suffix(".new")
            with new.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVED_BYTES)
            new.rename(path)
        super().__init__(filename)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        """Add an entry. Raise OSError if the file has to grow and cannot."""
        if self._used + len(key.encode()) + _ENTRY_BYTES > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def share_metrics(folder: str, number: int) -> None:
    """Keep the counts of this process in the folder. Call it before anything is counted, in one process per number."""
    os.environ[_VARIABLE] = folder
    values.MmapedDict = _ReservedFile  # type: ignore[assignment, attr-defined]
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


def end_metrics_of(folder: str, number: int) -> None:
    """Remove what a process that has ended said of itself while it ran. Its counts stay."""
    mark_process_dead(number, folder)  # type: ignore[no-untyped-call]


def render_metrics(folder: str | None) -> bytes:
    """Return the metrics in the text format of Prometheus: of all processes that share the folder, or of this one."""
    if folder is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
