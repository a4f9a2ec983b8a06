"""Headings get Docusaurus's anchors; sections, visible words and quizzes come out as a reader would say."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.app.textbook.docusaurus import Book, read_book
from backend.app.textbook.parser import parse_headings

EDGE = Path(__file__).parent / "data" / "docusaurus-edge"
TRUTH: dict[str, Any] = json.loads((EDGE / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def edge_book() -> Book:
    return read_book(EDGE, include_unlisted=True)


@pytest.mark.parametrize("source", TRUTH["anchors"])
def test_every_heading_has_the_anchor_that_docusaurus_built(edge_book: Book, source: str) -> None:
    chapter = next(chapter for chapter in edge_book.chapters if f"docs/{chapter.source_path}" == source)
    found = [[f"h{heading.level}", heading.anchor or "undefined"] for heading in parse_headings(chapter.content)]
    if not any(level == "h1" for level, _ in found):
        found.insert(0, ["h1", "undefined"])  # Docusaurus puts the front matter's title above the page
    assert found == TRUTH["anchors"][source]
