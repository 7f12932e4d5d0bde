"""docs/performance.md: its tables and charts are those of docs/performance/results.json."""

import os
import re
import subprocess
import sys

from support.checkout import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
RENDER = (sys.executable, "benchmarks/performance_document.py", "--check")


def test_tables_and_charts_are_rendered_from_the_results() -> None:
    path = {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(RENDER, cwd=ROOT, env=os.environ | path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_each_chart_is_shown_once() -> None:
    shown = re.findall(r"\]\(performance/(\w+\.svg)\)", DOCUMENT.read_text(encoding="utf-8"))

    assert sorted(shown) == sorted(it.name for it in DOCUMENT.with_suffix("").glob("*.svg"))
