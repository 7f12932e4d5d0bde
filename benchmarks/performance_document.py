"""Renders the tables and charts of docs/performance.md from docs/performance/results.json.

`python benchmarks/performance_document.py` renders them again without measuring, and with `--check` says whether they
are rendered. The text around the tables is written by hand.
"""

import sys
from pathlib import Path
from typing import Final

from performance_charts import render_charts
from performance_tables import render_tables
from results import FOLDER, Results, load_results

DOCUMENT: Final = FOLDER.with_suffix(".md")
_BEGIN: Final = "<!-- {}: rendered by `make bench` -->\n"
_END: Final = "<!-- end -->"


def render_document(document: str, results: Results) -> str:
    """Return the document with the tables of these results."""
    for name, content in render_tables(results).items():
        before, begin, after = document.partition(_BEGIN.format(name))
        if not begin:
            raise ValueError(f"docs/performance.md has no place for {name}")
        document = before + begin + content + _END + after.partition(_END)[2]
    return document


def write_document(results: Results) -> None:
    for file, content in _rendered(results).items():
        file.write_text(content, encoding="utf-8")


def _rendered(results: Results) -> dict[Path, str]:
    charts = {FOLDER / name: content for name, content in render_charts(results).items()}
    return {**charts, DOCUMENT: render_document(DOCUMENT.read_text(encoding="utf-8"), results)}


def check_document(results: Results) -> None:
    """Raise SystemExit if a file is not as it is rendered from these results."""
    for file, content in _rendered(results).items():
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            raise SystemExit(f"{file} is not rendered from docs/performance/results.json: see {__file__}")


if __name__ == "__main__":
    (check_document if "--check" in sys.argv else write_document)(load_results())
