"""docs/architecture.md names every room, and only files that exist."""

import re

import pytest

from support.checkout import ROOT

PACKAGE = ROOT / "server" / "jeton"
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[tuple[str, ...]]:
    """Return the cells of each table row whose last or first cell is code."""
    found = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if "| " in line]
    return [cells for cells in found if any(cell.startswith("`") for cell in (cells[0], cells[-1]))]


def test_each_room_has_a_row_and_a_place_in_the_picture() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    introduction = DOCUMENT.partition("\n## ")[0]

    assert rooms - {cells[0].strip("`/") for cells in rows(introduction)} == set()
    assert rooms - set(re.findall(r"^    (?:\w+ --> )?(\w+)$", introduction, re.MULTILINE)) - {"cli"} == set()


@pytest.mark.parametrize(("behaviour", "file"), rows(section("Where a behaviour lives")))
def test_the_file_of_a_behaviour_exists(behaviour: str, file: str) -> None:
    assert (PACKAGE / file.strip("`")).is_file(), behaviour


def test_at_least_forty_behaviours_are_listed_each_once() -> None:
    behaviours = [cells[0] for cells in rows(section("Where a behaviour lives"))]

    assert len(behaviours) >= 40
    assert len(set(behaviours)) == len(behaviours)


def test_each_other_source_file_that_the_document_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+/\w+\.(?:py|toml))`", DOCUMENT))

    assert {name for name in named if not (PACKAGE / name).is_file() and not (ROOT / name).is_file()} == set()


def test_each_relative_link_of_the_documents_leads_to_a_file() -> None:
    documents = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("clients/*.md"),
        *ROOT.glob("clients/*/*.md"),
    ]
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text(encoding="utf-8"))
        if not (document.parent / link).exists()
    ]

    assert broken == []
