"""Anchors and links are written out, so that they hold when a page's words become other ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.parser import parse_headings
from backend.app.textbook.pinning import name_definitions, pin_headings

EDGE = Path(__file__).parent / "data" / "docusaurus-edge"
TRUTH: dict[str, Any] = json.loads((EDGE / "truth.json").read_text(encoding="utf-8"))
CHAPTERS = [*read_book(EDGE, include_unlisted=True).chapters, *read_book(SAMPLE_BOOK).chapters]


def anchors(content: str) -> list[tuple[int, str]]:
    return [(heading.level, heading.anchor) for heading in parse_headings(content)]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.source_path)
def test_a_pinned_page_has_the_same_anchors_and_is_pinned_once(chapter: Any) -> None:
    pinned = pin_headings(chapter.content)
    assert anchors(pinned) == anchors(chapter.content)
    assert pin_headings(pinned) == pinned
    for level, anchor in TRUTH["anchors"].get(f"docs/{chapter.source_path}", []):
        written = f"#{anchor}" in pinned or f'id="{anchor}"' in pinned
        assert written or level == "h1" or anchor in ("", "undefined")


@pytest.mark.parametrize(
    ("content", "pinned"),
    [
        ("## Two  Words\n", "## Two  Words {/* #two--words */}\n"),
        ("## A ##\n\n## A", "## A {/* #a */} ##\n\n## A {/* #a-1 */}"),
        ("# Title\n\n## Title\n", "# Title\n\n## Title {/* #title-1 */}\n"),
        ("## One {#x}\n\n### Two\n", "## One {#x}\n\n### Two {#two}\n"),
        ("## One {#x}\n\n> ### Two\n", "## One {#x}\n\n> ### Two {/* #two */}\n"),
        ("## One <!-- #x -->\n\n## Two\n", "## One <!-- #x -->\n\n## Two <!-- #two -->\n"),
        ("Long\ntitle\n-----\n", "Long\ntitle {/* #longtitle */}\n-----\n"),
        ("- ## In `a{b}`\r\n", "- ## In `a{b}` {/* #in-ab */}\r\n"),
        ("```md\n## no\n```\n\n~~~\n## no\n~~~\n", None),
        ("No heading at all, and {#no} id.", None),
        ("##\n", None),
        (":::note ## no\n## Yes\n:::\n", ":::note ## no\n## Yes {/* #yes */}\n:::\n"),
        ('<h2 id="own">Own</h2>\n\n<Quiz>\n\n## Q\n\n</Quiz>\n', None),
    ],
)
def test_where_the_id_is_written(content: str, pinned: str | None) -> None:
    assert pin_headings(content) == (content if pinned is None else pinned)


def test_links_by_their_words_name_their_definition() -> None:
    content = "See [The *Spec*], [ref][], [other] and [x](y).\n\n[the *spec*]: https://a.b\n[REF]: c\n"
    written = "See [The *Spec*][The *Spec*], [ref][ref], [other] and [x](y).\n\n[the *spec*]: https://a.b\n[REF]: c\n"
    assert name_definitions(content) == written
    assert name_definitions(written) == written
    assert pin_headings(content) == content


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.source_path)
def test_a_page_whose_definitions_are_named_has_the_same_headings(chapter: Any) -> None:
    named = name_definitions(chapter.content)
    assert parse_headings(named) == parse_headings(chapter.content)
    assert name_definitions(named) == named
