"""Pieces are whole, small, and stay the same when another paragraph is edited."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.long_blocks import weight
from backend.app.textbook.masking import mask
from backend.app.textbook.sectioning import MOST_WORDS, split_chapter
from backend.app.textbook.structure import top_blocks

CHAPTERS = read_book(SAMPLE_BOOK).chapters
PARAGRAPH = "A paragraph of words that says something about robots and goes on for a while, so that it counts. " * 3


def edited(content: str) -> Iterator[str]:
    """The content with a sentence more, or nearly all words less, in one of its paragraphs."""
    for match in re.finditer(r"(?<=\n\n)[A-Z][a-z]+ [a-z]+ [^\n]+", content):
        yield content[: match.end()] + " One more sentence of words." + content[match.end() :]
        yield content[: match.start()] + "Two words." + content[match.end() :]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.chapter_id)
def test_pieces_are_the_chapter_and_none_is_long(chapter: Any) -> None:
    pieces = split_chapter(chapter.content, chapter.title)
    assert "".join(piece.text for piece in pieces if piece.role == "body") == chapter.content
    assert len(pieces) > 3
    assert all(0 < mask(piece.text).words <= 600 for piece in pieces)
    assert all(piece.heading_path[0] == chapter.title for piece in pieces)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.chapter_id)
def test_an_edited_paragraph_changes_exactly_one_piece(chapter: Any) -> None:
    before = Counter(split_chapter(chapter.content, chapter.title))
    for content in list(edited(chapter.content))[::3]:
        after = Counter(split_chapter(content, chapter.title))
        assert (before - after).total() == (after - before).total() == 1


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12), st.data())
def test_an_edit_never_moves_another_pieces_cut(sections: list[int], data: st.DataObject) -> None:
    paragraphs = [[f"{PARAGRAPH}{n}.{m}" for m in range(size)] for n, size in enumerate(sections)]
    chosen = [(n, m) for n, size in enumerate(sections) for m in range(size)]
    before = split_chapter(page(paragraphs), "T")
    if not chosen:
        return
    n, m = data.draw(st.sampled_from(chosen))
    paragraphs[n][m] = data.draw(st.sampled_from(["Short.", PARAGRAPH * 2, "Other words entirely."]))
    after = split_chapter(page(paragraphs), "T")
    lost, found = Counter(before) - Counter(after), Counter(after) - Counter(before)
    assert lost.total() == 1 or found.total() == 1  # a piece is another one, in two halves, or two halves are one
    assert "".join(piece.text for piece in after if piece.role == "body") == page(paragraphs)


def page(sections: list[list[str]]) -> str:
    return "".join(
        f"## Section {n}\n\n" + "".join(f"{text}\n\n" for text in texts) for n, texts in enumerate(sections)
    )


WHOLE = {
    "fence": "```py\n\n" + "# a\n\n" * 40 + "```\n\n",
    "table": "| a | b |\n|---|---|\n" + f"| {PARAGRAPH} | x |\n" * 40 + "\n",
    "element": f"<Tabs>\n<TabItem value='a'>\n\n{(PARAGRAPH + chr(10) * 2) * 40}## In\n\n</TabItem>\n</Tabs>\n\n",
    "admonition": f":::note\n\n{(PARAGRAPH + chr(10) * 2) * 40}:::\n\n",
    "nested": f"::::note\n\n:::tip\n\nx\n\n:::\n\n{(PARAGRAPH + chr(10) * 2) * 40}::::\n\n",
    "quote": f"> {PARAGRAPH}\n>\n" * 40 + "\n",
    "formula": "$$\n\n" + "x\n\n" * 40 + "$$\n\n",
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_belongs_together_is_never_cut(name: str) -> None:
    around = (PARAGRAPH + "\n\n") * 30
    pieces = split_chapter(f"{around}{WHOLE[name]}{around}", "T")
    assert sum(WHOLE[name].strip() in piece.text for piece in pieces) == 1
    assert len(pieces) > 3


LONG = {
    "sentences": "The robot walks over the floor and keeps its balance. " * 400,
    "a page's textContent": ("A joint turns.Then it stops, e.g. here. " * 60 + "\n") * 10,
    "sentences in one line with marks": "Set `a` to [one](b), **then** go on. " * 300,
    "bold that never closes": "**A sentence of words. " * 600,
    "a link around all": "[" + "A sentence of words. " * 600 + "](target)",
    "a sentence without an end": "word " * 5000,
    "numbers": "12.5, 13.5 " * 3000,
    "Urdu": "روبوٹ فرش پر چلتا ہے اور توازن رکھتا ہے۔ " * 300,
    "a script without spaces": "机器人在地板上行走。" * 3000,
    "a list": f"- {PARAGRAPH}\n" * 40,
    "a loose list": f"1. {PARAGRAPH}\n\n   More of it.\n\n" * 40,
    "below a heading": "## A\n\n" + PARAGRAPH * 40 + "\n\n```py\na\n```\n",
    "many marks": "`a` " * 4000,
}


@pytest.mark.parametrize("content", LONG.values(), ids=LONG.keys())
def test_a_block_that_can_be_cut_leaves_no_long_piece(content: str) -> None:
    pieces = split_chapter(content, "")
    assert "".join(piece.text for piece in pieces) == content
    assert len(pieces) > 2
    assert all(0 < weight(mask(piece.text).text) <= MOST_WORDS for piece in pieces)


def test_a_long_list_is_cut_between_its_items_and_a_paragraph_behind_sentences_that_leave_nothing_open() -> None:
    items = split_chapter(LONG["a list"], "")
    assert all(piece.text.startswith("- ") and piece.text.endswith("\n") for piece in items)
    linked = "Read [the book. It is long](b) and **two words. More** of it. " * 300
    for piece in split_chapter(linked, ""):
        assert piece.text.count("[") == piece.text.count("](b)")
        assert piece.text.count("**") % 2 == 0
    below = split_chapter(LONG["below a heading"], "T")[1:]
    assert [piece.heading_path for piece in below[1:]] == [("T", "A")] * (len(below) - 1)
    assert below[-1].text.endswith("```\n")


def test_an_edited_sentence_of_a_long_paragraph_changes_one_piece() -> None:
    sentences = [f"Sentence {number} says something about the robot and its joints. " for number in range(300)]
    before = split_chapter("".join(sentences), "")
    for number in (0, 77, 150, 299):
        edited = [*sentences[:number], "Other words. ", *sentences[number + 1 :]]
        after = split_chapter("".join(edited), "")
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


@given(
    st.lists(
        st.sampled_from(
            (
                "a",
                "word. ",
                "`c` ",
                "[x](y) ",
                "**",
                "*",
                "[",
                "]",
                "\n",
                "\n- ",
                "۔",
                "<b>",
                "1. ",
                "\n\n",
                "| ",
                "> ",
                "# ",
                "$x$ ",
                "_",
            )
        )
    ).map(lambda parts: "".join(parts) * 60)
)
@settings(max_examples=60)
def test_no_hostile_paragraph_or_list_is_a_long_piece(content: str) -> None:
    pieces = split_chapter(content, "")
    assert "".join(piece.text for piece in pieces) == content
    for piece in pieces:
        masked = mask(piece.text).text
        names = [block.name for block in top_blocks(masked)]
        assert weight(masked) <= MOST_WORDS or names != ["paragraph"] or not re.search(r"\S\s+\S", masked)


def test_a_piece_knows_the_headings_above_it() -> None:
    long = (PARAGRAPH + "\n\n") * 30
    content = f"# T\n\nIntro.\n\n## A `b`\n\n{long}### C\n\n{long}## D\n\n### E\n\nend\n"
    paths = [piece.heading_path for piece in split_chapter(content, "T")]
    assert paths == sorted(paths, key=[("T",), ("T", "A b"), ("T", "A b", "C")].index) or paths[-1] == ("T",)
    assert {("T",), ("T", "A b"), ("T", "A b", "C")} == set(paths)


def test_a_title_that_stands_above_the_page_only_is_a_piece() -> None:
    assert [piece.role for piece in split_chapter("Text.\n", "A title")] == ["title", "body"]
    assert split_chapter("Text.\n", "A\ntitle")[0].text == "# A title\n"
    assert [piece.role for piece in split_chapter("# Own\n\nText.\n", "A title")] == ["body"]
    assert [piece.role for piece in split_chapter("Text.\n", "")] == ["body"]
    assert split_chapter("", "") == ()


@given(st.text(alphabet=st.sampled_from("#>-|`$<{}:[]!*=~\n\r \t\ufeff\u2028aé۔⟦⟧0."), max_size=200))
def test_any_text_is_cut_without_loss(content: str) -> None:
    assert "".join(piece.text for piece in split_chapter(content, "")) == content


def test_a_cut_is_at_a_block() -> None:
    for chapter in CHAPTERS:
        for piece in split_chapter(chapter.content, chapter.title):
            first = top_blocks(mask(piece.text).text)[0]
            assert first.line == 0 or not piece.text.splitlines()[0].strip()
