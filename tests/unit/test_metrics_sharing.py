"""Counts of several processes in one folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from jeton.observability.metrics_sharing import end_metrics_of, render_metrics
from support.metrics import series_in

COUNT = """
import os, sys
from jeton.observability.metrics import OVERLOADS, PASSWORD_HASHES, decisions_with, forget_counts
from jeton.observability.metrics_sharing import share_metrics
OVERLOADS.labels("hashing").inc()  # by a parent, before it forked
forget_counts()
share_metrics(sys.argv[1], int(sys.argv[2]))
OVERLOADS.labels("hashing").inc()
PASSWORD_HASHES.labels("running").inc(3)
for number in range(int(sys.argv[3])):
    decisions_with(str(number)).inc()
os._exit(1)  # nothing is finished
"""


def count_in_process(folder: Path, number: int, decisions: int = 0) -> None:
    command = [sys.executable, "-c", COUNT, str(folder), str(number), str(decisions)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def shown(folder: Path) -> tuple[float, float]:
    text = render_metrics(str(folder)).decode()
    return (
        series_in(text, "jeton_overloads_total", queue="hashing"),
        series_in(text, "jeton_password_hashes", state="running"),
    )


def test_counters_outlive_a_process_and_gauges_do_not(tmp_path: Path) -> None:
    count_in_process(tmp_path, 0)
    count_in_process(tmp_path, 1)
    assert shown(tmp_path) == (2, 6)

    end_metrics_of(str(tmp_path), 0)
    assert shown(tmp_path) == (2, 3)

    count_in_process(tmp_path, 0)
    assert shown(tmp_path) == (3, 6)
    assert {file.stem.rpartition("_")[2] for file in tmp_path.iterdir()} == {"0", "1"}


@pytest.mark.parametrize("decisions", [0, 20_000])
def test_files_have_no_holes_that_a_full_disk_could_not_fill(tmp_path: Path, decisions: int) -> None:
    """A process that writes into one is killed."""
    count_in_process(tmp_path, 0, decisions)

    sizes = {file.name: (file.stat().st_blocks * 512, file.stat().st_size) for file in tmp_path.iterdir()}
    assert {name: size for name, (reserved, size) in sizes.items() if reserved < size} == {}
