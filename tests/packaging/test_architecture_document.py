"""docs/architecture.md names every room, and only files that exist."""

import re
from pathlib import Path

from support.checkout import ROOT

PACKAGE = ROOT / "server" / "jeton"
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the cells of each table row whose last or first cell is code."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| " in line]
    return [cells for cells in found if any(cell.startswith("`") for cell in (cells[0], cells[-1]))]


def test_each_room_has_a_row_and_a_place_in_the_picture() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    introduction = DOCUMENT.partition("\n## ")[0]

    assert rooms - {cells[0].strip("`/") for cells in rows(introduction)} == set()
    assert rooms - set(re.findall(r"^    (?:\w+ --> )?(\w+)$", introduction, re.MULTILINE)) - {"cli"} == set()


def test_at_least_forty_behaviours_are_listed_each_once_with_an_existing_file() -> None:
    behaviours = rows(DOCUMENT.partition("\n## Where a behaviour lives\n")[2].partition("\n## ")[0])

    assert [cells for cells in behaviours if not (PACKAGE / cells[1].strip("`")).is_file()] == []
    assert len({cells[0] for cells in behaviours}) == len(behaviours) >= 40


def test_each_other_source_file_that_the_document_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+/\w+\.(?:py|toml))`", DOCUMENT))

    assert {name for name in named if not (PACKAGE / name).is_file() and not (ROOT / name).is_file()} == set()


def anchors(document: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub forms them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", it.strip().lower()).replace(" ", "-") for it in headings}


def test_each_relative_link_of_the_documents_leads_to_a_file_and_its_heading() -> None:
    patterns = ("*.md", "docs/**/*.md", "clients/*.md", "clients/*/*.md")
    broken = []
    for document in (it for pattern in patterns for it in ROOT.glob(pattern)):
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)", document.read_text(encoding="utf-8")):
            name, _, anchor = link.partition("#")
            target = document.parent / name if name else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.relative_to(ROOT)}: {link}")

    assert broken == []
