"""Files become the ids, routes and order that Docusaurus 3.10.2 really built; hostile folders end in one sentence."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from backend.app.errors import BookError
from backend.app.textbook.docusaurus import Book, content_title, read_book, strip_number_prefix

EDGE = Path(__file__).parent / "data" / "docusaurus-edge"
TRUTH: dict[str, Any] = json.loads((EDGE / "truth.json").read_text(encoding="utf-8"))


def write(root: Path, **files: str) -> Path:
    """Files by name with `__` for the folder separator and `_md` for the ending."""
    for name, text in files.items():
        path = root / (name.replace("__", "/").removesuffix("_md") + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def ids(book: Book) -> list[str]:
    return [str(chapter.chapter_id) for chapter in book.chapters]


@pytest.fixture(scope="module")
def edge_book() -> Book:
    return read_book(EDGE, include_unlisted=True)


@pytest.mark.parametrize("source", TRUTH["routes"])
def test_every_file_gets_the_route_that_docusaurus_built(edge_book: Book, source: str) -> None:
    expected = TRUTH["routes"][source]
    chapter = next(chapter for chapter in edge_book.chapters if f"docs/{chapter.source_path}" == source)
    assert (chapter.chapter_id, chapter.url, chapter.title) == (
        expected["id"],
        expected["permalink"],
        expected["title"],
    )


def test_the_book_has_exactly_the_pages_that_docusaurus_built(edge_book: Book) -> None:
    assert {f"docs/{chapter.source_path}" for chapter in edge_book.chapters} == set(TRUTH["routes"])
    assert edge_book.skipped == ("edge/topic/dr.md: draft",)


def test_unlisted_pages_are_left_out_unless_asked_for() -> None:
    book = read_book(EDGE / "docs")
    unlisted = [source for source, route in TRUTH["routes"].items() if route["unlisted"]]
    assert unlisted
    assert not {f"docs/{chapter.source_path}" for chapter in book.chapters} & set(unlisted)
    assert "edge/topic/un.md: unlisted" in book.skipped


def test_sidebar_positions_order_the_pages_of_a_folder(edge_book: Book) -> None:
    for folder in {Path(source).parent for source in TRUTH["routes"]}:
        wanted = {source: TRUTH["routes"][source]["sidebarPosition"] for source in TRUTH["routes"]}
        positions = [
            wanted[f"docs/{chapter.source_path}"]
            for chapter in edge_book.chapters
            if Path("docs", chapter.source_path).parent == folder
        ]
        index_first = positions[1:] if positions and positions[0] is None else positions
        numbered = [position for position in index_first if position is not None]
        assert numbered == sorted(numbered)
        assert None not in index_first[: len(numbered)]


def test_modules_are_the_labels_of_the_top_folders(edge_book: Book) -> None:
    modules = {str(chapter.chapter_id): chapter.module for chapter in edge_book.chapters}
    assert modules["intro"] == ""
    assert modules["tutorial-basics/create-a-page"] == "Tutorial - Basics"
    assert modules["edge/module-one/intro"] == "edge"
    assert [chapter.position for chapter in edge_book.chapters] == list(range(len(edge_book.chapters)))
