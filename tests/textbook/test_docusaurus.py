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


def test_bom_crlf_and_missing_front_matter_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("\ufeff---\r\ntitle: With BOM\r\nid: x\r\n---\r\n\r\nOne.\r\nTwo.\r\n".encode())
    (tmp_path / "b.mdx").write_bytes(b"Only text.")
    first, second = read_book(tmp_path).chapters
    assert (first.title, first.chapter_id, first.content) == ("With BOM", "x", "One.\nTwo.\n")
    assert (second.title, second.content) == ("b", "Only text.\n")


def test_broken_front_matter_is_a_warning_and_its_plain_lines_still_count(tmp_path: Path) -> None:
    write(tmp_path, a_md="---\ntitle: Chapter 1: Robots\nsidebar_position: 4\n---\nBody.", b_md="---\nx: [\n---\nB.")
    book = read_book(tmp_path)
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1: Robots", "b"]
    assert [chapter.content for chapter in book.chapters] == ["Body.\n", "B.\n"]
    assert ["front matter" in warning for warning in book.warnings] == [True, True]


@pytest.mark.parametrize(
    "block", ["x: " + "[" * 5000, "d: 2024-99-99", "? [a]\n: 1", "- a\n- b", "title: [1]", "\t:"]
)
def test_hostile_front_matter_never_stops_the_book(tmp_path: Path, block: str) -> None:
    write(tmp_path, page_md=f"---\n{block}\n---\nBody.")
    assert read_book(tmp_path).chapters[0].content == "Body.\n"


def test_partials_stand_where_their_component_was(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_md="import Part from './_part.md';\nimport Tabs from '@theme/Tabs';\n\nAbove.\n\n<Part />\n\nBelow.",
        _part_md="---\nx: 1\n---\nShared words.",
    )
    (chapter,) = read_book(tmp_path).chapters
    assert "Above.\n\n\nShared words.\n\n\nBelow." in chapter.content
    assert "_part" not in chapter.content


def test_partials_that_include_themselves_or_lead_outside_are_warnings(tmp_path: Path) -> None:
    docs = write(
        tmp_path / "site" / "docs",
        a_md="import P from './_p.md';\nimport Q from '../../secret.md';\n\n<P />\n\n<Q />",
        _p_md="import P from './_p.md';\n\n<P />\n\nPart.",
    )
    write(tmp_path, secret_md="SECRET")
    book = read_book(docs)
    assert len(book.warnings) == 2
    assert "SECRET" not in book.chapters[0].content
    assert "Part." in book.chapters[0].content


def test_category_files_order_and_name_the_folders(tmp_path: Path) -> None:
    write(tmp_path, a__x_md="x", b__y_md="y", c__z_md="z", c__index_md="i", intro_md="hello")
    (tmp_path / "a" / "_category_.json").write_text('{"label": "Last", "position": 9}')
    (tmp_path / "b" / "_category_.yml").write_text("label: First\nposition: 1.5\n")
    (tmp_path / "c" / "_category_.json").write_text("{broken")
    book = read_book(tmp_path)
    assert ids(book) == ["b/y", "a/x", "c/index", "c/z", "intro"]
    assert [chapter.module for chapter in book.chapters] == ["First", "Last", "index", "index", ""]
    assert len(book.warnings) == 1


def test_a_site_folder_stands_for_its_docs(tmp_path: Path) -> None:
    write(tmp_path, README_md="About the repository.", docs__intro_md="# Hello")
    assert ids(read_book(tmp_path)) == ["intro"]
    assert read_book(tmp_path).warnings == ()
    write(tmp_path, chapter_md="A page of its own.")
    whole = read_book(tmp_path)
    assert ids(whole) == ["README", "chapter", "docs/intro"]
    assert str(tmp_path / "docs") in whole.warnings[0]
    (tmp_path / "docusaurus.config.ts").write_text("")
    assert ids(read_book(tmp_path)) == ["intro"]


def test_links_to_folders_and_out_of_the_book_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, secret_md="SECRET", docs__a_md="A.")
    docs = tmp_path / "docs"
    os.symlink(tmp_path, docs / "loop")
    os.symlink(tmp_path / "secret.md", docs / "leak.md")
    os.symlink(docs / "self.md", docs / "self.md")
    book = read_book(docs)
    assert ids(book) == ["a"]
    assert len(book.skipped) == 3


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda root: root / "missing", "no folder"),
        (lambda root: write(root, a_md="A.") / "a.md", "is a file"),
        (lambda root: root, "no Markdown"),
        (lambda root: write(root, a__x_md="1", **{"01-a__x_md": "2"}), "same id 'a/x'"),
        (lambda root: (root / "latin.md").write_bytes(b"caf\xe9") and root, "latin.md is not UTF-8"),
        (lambda root: (root / "nul.md").write_bytes(b"a\0b") and root, "nul.md contains NUL"),
    ],
)
def test_a_folder_that_is_no_book_is_refused_with_one_clear_sentence(
    tmp_path: Path, prepare: Any, words: str
) -> None:
    with pytest.raises(BookError) as refused:
        read_book(prepare(tmp_path))
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("01-intro", ("intro", 1)),
        ("03 - spaced", ("spaced", 3)),
        ("1. dot", ("dot", 1)),
        ("2024-02-03-post", ("2024-02-03-post", None)),
        ("7.1-rel", ("7.1-rel", None)),
        ("001foo", ("001foo", None)),
        ("10-", ("10-", None)),
    ],
)
def test_number_prefixes_are_stripped_but_dates_and_versions_are_not(name: str, expected: tuple[str, Any]) -> None:
    assert tuple(strip_number_prefix(name)) == expected


def test_a_title_is_the_heading_that_opens_the_page() -> None:
    assert content_title("import A from 'a'\n\n# The `config` file ##\n\ntext") == "The config file"
    assert content_title("Setext\n===\n") == "Setext"
    assert content_title("Text first\n\n# Later") == ""


def test_the_hash_of_a_chapter_changes_with_everything_a_reader_sees(tmp_path: Path) -> None:
    before = read_book(write(tmp_path, a_md="One.")).chapters[0]
    again = read_book(tmp_path).chapters[0]
    after = read_book(write(tmp_path, a_md="---\ntitle: T\n---\nOne.")).chapters[0]
    assert before == again
    assert before.content_hash != after.content_hash
