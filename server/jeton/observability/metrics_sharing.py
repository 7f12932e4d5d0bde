"""Metrics of several worker processes: each keeps its counts in files of one folder, and any can add them up.

A file belongs to a number, and not to a process. Numbers are used again: the worker that replaces another one continues
its counts, so that none is lost or counted twice, and there are never more files than workers at the same time.
"""

import os
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from jeton.observability.metrics import REGISTRY

# Where prometheus_client looks for the folder.
_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics(folder: str, number: int) -> None:
    """Keep the counts of this process in the folder. Call it before anything is counted, in one process per number."""
    os.environ[_VARIABLE] = folder
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
