"""The register of requirements: each one is proven by a test or its absence is admitted, and nothing is made up.

`docs/requirements.md` holds every id. A test proves some by `@pytest.mark.requirement("A04", ...)`. A row of a table
in `docs/divergences.md` admits those in its first cell: ids and ranges like `L10-L17`, separated by commas or spaces.
A row with the words "not offered yet" says that there is nothing to prove.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
REGISTER = TESTS.parent / "docs" / "requirements.md"
DIVERGENCES = TESTS.parent / "docs" / "divergences.md"
ID = re.compile(r"([A-Z]{1,2})(\d{1,2})")
RANGE = re.compile(r"([A-Z]{1,2})(\d{1,2})(?:\s*[-\u2013]\s*\1(\d{1,2}))?")


def table_rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row that begins with an id."""
    for line in text.splitlines():
        cells = [cell.strip().strip("`*") for cell in line.strip("|").split("|")]
        if line.startswith("|") and ID.match(cells[0]):
            yield cells


def ids_in(cell: str, register: list[str]) -> set[str]:
    """Return the registered ids, and those at the ends of ranges, that a cell names."""
    found: set[str] = set()
    for letters, first, last in RANGE.findall(cell):
        between = range(int(first), int(last or first) + 1)
        parts = [match for it in register if (match := ID.fullmatch(it)) and match[1] == letters]
        found |= {letters + first, letters + (last or first), *(it[0] for it in parts if int(it[2]) in between)}
    return found


def marks(text: str, file: str) -> Iterator[str]:
    """Yield the ids in the requirement marks of a test file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
            ids = [it.value for it in node.args if isinstance(it, ast.Constant) and isinstance(it.value, str)]
            assert ids, f"{file}, line {node.lineno}: a requirement mark without an id"
            assert len(ids) == len(node.args), (
                f"{file}, line {node.lineno}: a requirement mark takes ids in quotes only"
            )
            yield from ids


@cache
def register() -> list[list[str]]:
    return list(table_rows(REGISTER.read_text(encoding="utf-8")))


@cache
def registered() -> list[str]:
    return [cells[0] for cells in register()]


def admitted(words: str = "") -> set[str]:
    """Return the ids in the divergences, or in those of its rows that contain these words."""
    rows = table_rows(DIVERGENCES.read_text(encoding="utf-8"))
    return {it for cells in rows if words in " ".join(cells[1:]).lower() for it in ids_in(cells[0], registered())}


@cache
def marked() -> dict[str, str]:
    """Return a file for each marked id."""
    files = [(file.relative_to(TESTS).as_posix(), file.read_text(encoding="utf-8")) for file in TESTS.rglob("*.py")]
    return {it: file for file, text in files if "mark.requirement" in text for it in marks(text, file)}


def test_each_id_is_registered_once_with_level_source_and_text() -> None:
    assert len(set(registered())) == len(registered())
    assert [it for it in register() if len(it) != 4 or not ID.fullmatch(it[0]) or not all(it[2:])] == []
    assert {level for _, level, *_ in register()} <= {"M", "S", "O", "-"}


def test_each_requirement_is_proven_or_its_absence_is_admitted_but_not_both() -> None:
    missing = admitted("not offered yet")

    assert sorted(set(registered()) - admitted() - marked().keys()) == [], "neither marked nor in the divergences"
    assert {it: file for it, file in marked().items() if it in missing} == {}, "marked, and not offered yet"


def test_each_marked_or_admitted_id_is_registered() -> None:
    assert {it: file for it, file in marked().items() if it not in registered()} == {}
    assert sorted(admitted() - set(registered())) == []


@pytest.mark.parametrize(
    ("cell", "ids"),
    [
        ("A03", {"A03"}),
        ("A03, B02", {"A03", "B02"}),
        ("A01-A03", {"A01", "A02", "A03"}),
        ("A01\u2013A02 B02", {"A01", "A02", "B02"}),
        ("A02, A99", {"A02", "A99"}),
        ("B01-B04", {"B01", "B02", "B04"}),
        ("AB01-AB03, C02", {"AB01", "AB02", "AB03", "C02"}),
    ],
)
def test_ids_and_ranges_are_parsed(cell: str, ids: set[str]) -> None:
    text = f"| ids | what |\n|---|---|\n| `{cell}` | Not offered yet: A99. |\n\nA01 in a sentence.\n"

    assert [ids_in(cells[0], ["A01", "A02", "A03", "AB02", "B02"]) for cells in table_rows(text)] == [ids]


def test_marks_of_decorators_parameters_and_modules_are_found() -> None:
    text = """
import pytest
pytestmark = pytest.mark.requirement("A01")
@pytest.mark.requirement("A02", "A03")
@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.requirement("A04"))])
def test_it(n): ...
# @pytest.mark.requirement("A05")
"""
    assert set(marks(text, "test_it.py")) == {"A01", "A02", "A03", "A04"}
    with pytest.raises(AssertionError, match="in quotes only"):
        list(marks("pytest.mark.requirement('A01', A02)", "test_it.py"))
