"""The register of requirements: each one is proven by a test or its absence is admitted, and nothing is made up.

`docs/requirements.md` holds every id. A test proves some by `@pytest.mark.requirement("A04", ...)`. A row of a table
in `docs/divergences.md` admits those in its first cell: ids and ranges like `L10-L17`, separated by commas or spaces.
A row with the words "not offered yet" says that there is nothing to prove.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
REGISTER = TESTS.parent / "docs" / "requirements.md"
DIVERGENCES = TESTS.parent / "docs" / "divergences.md"
LEVELS = {"M", "S", "O", "-"}
MISSING = "not offered yet"

_ID = re.compile(r"([A-Z]{1,2})(\d{1,2})")
_RANGE = re.compile(r"([A-Z]{1,2}\d{1,2})(?:\s*[-\u2013]\s*([A-Z]{1,2}\d{1,2}))?")


@dataclass(frozen=True)
class Listed:
    """A row of the divergences: the ids, or ends of ranges, as they are written there."""

    ranges: tuple[tuple[str, str], ...]
    missing: bool

    def ids(self, register: list[str]) -> set[str]:
        return {it for first, last in self.ranges for it in register if _is_between(it, first, last)}


def _is_between(it: str, first: str, last: str) -> bool:
    (series, number), (first_series, start), (last_series, end) = map(_split, (it, first, last))
    return series == first_series == last_series and start <= number <= end


def _split(it: str) -> tuple[str, int]:
    """Return the letters and the number of an id."""
    match = _ID.fullmatch(it)
    assert match is not None, f"{it} is no id"
    return match[1], int(match[2])


def _rows(file: Path) -> Iterator[list[str]]:
    """The cells of each row of each table, without headings."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            cells = [cell.strip().strip("`*") for cell in line.strip("|").split("|")]
            if _ID.match(cells[0]):
                yield cells


def _registered() -> list[list[str]]:
    return list(_rows(REGISTER))


def _register() -> list[str]:
    return [cells[0] for cells in _registered()]


def _listed() -> list[Listed]:
    assert DIVERGENCES.is_file(), f"{DIVERGENCES.name} is missing: it admits what is not offered or done otherwise"
    rows = []
    for first, *others in _rows(DIVERGENCES):
        ranges = tuple((start, end or start) for start, end in _RANGE.findall(first))
        rows.append(Listed(ranges, MISSING in " ".join(others).lower()))
    return rows


def _marked() -> dict[str, set[str]]:
    """For each id in a mark: the files it is marked in."""
    found: dict[str, set[str]] = {}
    for file in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
                for it in _ids_of(node, file):
                    found.setdefault(it, set()).add(file.relative_to(TESTS).as_posix())
    return found


def _ids_of(mark: ast.Call, file: Path) -> list[str]:
    ids = [it.value for it in mark.args if isinstance(it, ast.Constant) and isinstance(it.value, str)]
    where = f"{file.name}, line {mark.lineno}"
    assert ids, f"{where}: a requirement mark names no id"
    assert len(ids) == len(mark.args), f"{where}: a requirement mark holds something that is no id in quotes"
    assert not mark.keywords, f"{where}: a requirement mark takes ids only"
    return ids


def _sorted(ids: set[str]) -> list[str]:
    return sorted(ids, key=_split)


def test_each_id_is_registered_once_with_level_source_and_text() -> None:
    rows = _registered()

    assert len({cells[0] for cells in rows}) == len(rows), "an id is registered twice"
    for cells in rows:
        assert len(cells) == 4, f"{cells[0]}: a row is | id | level | source | requirement |"
        assert _ID.fullmatch(cells[0]), f"{cells[0]} is no id"
        assert cells[1] in LEVELS, f"{cells[0]}: the level is one of {sorted(LEVELS)}"
        assert all(cells[2:]), f"{cells[0]}: source and requirement must not be empty"


def test_each_requirement_is_proven_or_its_absence_is_admitted() -> None:
    register = _register()
    admitted = {it for row in _listed() for it in row.ids(register)}

    neither = _sorted(set(register) - admitted - _marked().keys())

    assert neither == [], f"neither marked by a test nor listed in {DIVERGENCES.name}: {', '.join(neither)}"


def test_each_marked_id_is_registered() -> None:
    register = set(_register())

    unknown = [f"{it} in {', '.join(sorted(files))}" for it, files in _marked().items() if it not in register]

    assert unknown == [], f"not in {REGISTER.name}: {'; '.join(unknown)}"


def test_each_listed_id_is_registered() -> None:
    register = set(_register())
    ends = {it for row in _listed() for pair in row.ranges for it in pair}

    unknown = sorted(ends - register)

    assert unknown == [], f"in {DIVERGENCES.name} but not in {REGISTER.name}: {', '.join(unknown)}"


def test_nothing_is_proven_that_is_not_offered_yet() -> None:
    register, marked = _register(), _marked()
    missing = {it for row in _listed() if row.missing for it in row.ids(register)}

    both = [f"{it} (marked in {', '.join(sorted(marked[it]))})" for it in _sorted(missing & marked.keys())]

    assert both == [], f"listed as {MISSING}, and yet marked: {'; '.join(both)}"


# The reader itself.


@pytest.mark.parametrize(
    ("cell", "ids"),
    [
        ("A03", {"A03"}),
        ("A03, B02", {"A03", "B02"}),
        ("A01-A03", {"A01", "A02", "A03"}),
        ("A01\u2013A02 B02", {"A01", "A02", "B02"}),
        ("`A02`, `A03`", {"A02", "A03"}),
        ("B01-B04", {"B02"}),
    ],
)
def test_ids_and_ranges_are_read_from_the_first_cell(
    cell: str, ids: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "divergences.md"
    file.write_text(f"| ids | what |\n|---|---|\n| {cell} | Not offered yet: A99. |\n\nA01 in a sentence.\n")
    monkeypatch.setitem(globals(), "DIVERGENCES", file)

    (row,) = _listed()

    assert row.ids(["A01", "A02", "A03", "B02"]) == ids
    assert row.missing


def test_marks_are_read_from_decorators_and_parameters_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        import pytest
        pytestmark = pytest.mark.requirement("A01")
        @pytest.mark.requirement("A02", "A03")
        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.requirement("A04"))])
        def test_it(n): ...
        # @pytest.mark.requirement("A05")
    """
    (tmp_path / "test_it.py").write_text(re.sub(r"^ {8}", "", text, flags=re.MULTILINE))
    monkeypatch.setitem(globals(), "TESTS", tmp_path)

    assert _marked() == {it: {"test_it.py"} for it in ("A01", "A02", "A03", "A04")}
