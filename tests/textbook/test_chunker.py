"""Chunks stay below the limit, keep every word, never cut what fits, and always point at the right heading."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.errors import BookError
from backend.app.models.domain import Chapter, ChapterId, Chunk
from backend.app.textbook.chunker import chunk_book, citation_blocks, words_kept
from backend.app.textbook.docusaurus import Book
from backend.app.textbook.splitting import split_sentences


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Like word pieces: a word costs one per six characters, a sign one, the whole two more."""
    return [2 + sum(-(-len(piece) // 6) for piece in re.findall(r"\w+|[^\w\s]", text)) for text in texts]


def book(*pages: str, title: str = "Title") -> Book:
    chapters = tuple(
        Chapter(ChapterId(f"c{n}"), title, f"/docs/c{n}", "", n, page, "", f"c{n}.md") for n, page in enumerate(pages)
    )
    return Book(chapters, (), (), Path())


def chunks_of(page: str, limit: int = 64) -> list[Chunk]:
    chunks = chunk_book(book(page), count_tokens, limit)
    assert all(count <= limit for count in count_tokens([chunk.embedding_text for chunk in chunks]))
    return chunks


def test_chunks_carry_their_place_and_a_hash_of_what_is_embedded() -> None:
    chunks = chunk_book(book("Intro.\n\n## One\n\nText.", "## Two\n\nMore."), count_tokens)
    assert [(chunk.chapter_id, chunk.section, chunk.anchor, chunk.position) for chunk in chunks] == [
        ("c0", "Title", "", 0),
        ("c0", "One", "one", 1),
        ("c1", "Two", "two", 2),
    ]
    assert chunks[1].embedding_text == "Title > One\nText."
    assert chunks[1].content_hash == hashlib.sha256(b"Title > One\nText.").hexdigest()


def test_what_is_searched_is_what_the_page_shows() -> None:
    (chunk,) = chunks_of(
        "## Use *it*\n\nSee **the** [guide](https://example.org/x).\n\n| A | B |\n|---|---|\n| c | `d` |"
    )
    assert chunk.text.startswith("See **the** [guide]")
    assert chunk.embedding_text == "Title > Use it\nSee the guide.\nA\nB\nc\nd"
    (plain,) = chunks_of("Nothing but words.")
    assert (plain.words, plain.embedding_text) == ("", "Title\nNothing but words.")


def test_a_diagram_is_kept_as_it_is_written_and_searched_by_its_labels() -> None:
    diagram = "```mermaid\nstateDiagram-v2\n    Unconfigured --> Inactive: configure()\n```"
    (chunk,) = chunks_of(f"## States\n\n{diagram}")
    assert chunk.text == diagram
    assert chunk.embedding_text == "Title > States\nUnconfigured Inactive: configure"


def test_small_neighbours_share_a_chunk_but_never_cross_a_heading() -> None:
    chunks = chunks_of("One.\n\nTwo.\n- a\n- b\n\n## Next\n\nThree.")
    assert [chunk.text for chunk in chunks] == ["One.\n\nTwo.\n- a\n- b", "Three."]


def test_a_fence_that_fits_stays_whole_and_a_longer_one_is_cut_at_lines_with_its_fence_again() -> None:
    code = "\n".join(f"value_{n} = {n}" for n in range(40))
    whole = "```py\na = 1\n\nb = 2\n```"
    chunks = chunks_of(f'{"Some words here. " * 10}\n\n{whole}\n\n```python title="a.py"\n{code}\n```')
    assert any(whole in chunk.text for chunk in chunks)
    parts = [chunk.text for chunk in chunks if "value_" in chunk.text]
    assert len(parts) > 1
    assert all(part.count("```") % 2 == 0 for part in parts)
    assert all('```python title="a.py"\n' in part for part in parts)
    lines = [line for part in parts for line in part.split("\n") if line.startswith("value_")]
    assert "\n".join(lines) == code


def test_a_line_of_code_over_the_limit_is_cut_but_not_dropped() -> None:
    line = " ".join(f"word{n}" for n in range(300))
    text = " ".join(chunk.text for chunk in chunks_of(f"```\n{line}\n```"))
    assert re.findall(r"word\d+", text) == line.split()


def test_a_long_table_is_cut_at_rows_under_its_head() -> None:
    rows = [f"| part {n} | does thing {n} |" for n in range(30)]
    chunks = chunks_of("\n".join(["| Name | Use |", "|---|---|", *rows]))
    assert len(chunks) > 1
    assert all(chunk.text.startswith("| Name | Use |\n|---|---|\n| part") for chunk in chunks)
    assert [row for chunk in chunks for row in chunk.text.split("\n")[2:]] == rows


def test_long_prose_is_cut_after_sentences_and_formulas_stay_whole() -> None:
    prose = " ".join(f"Sentence {n} holds $E = mc^{n}. Yes$ and e.g. more." for n in range(30))
    chunks = chunks_of(prose)
    assert all(chunk.text.endswith("more.") for chunk in chunks)
    assert all(chunk.text in prose for chunk in chunks)
    assert " ".join(chunk.text for chunk in chunks) == prose


def test_a_heading_without_text_can_still_be_found() -> None:
    chunks = chunks_of("## Diagram\n\n<Chart />\n\n## Parent\n\n### Child\n\nText.")
    assert [(chunk.anchor, chunk.text) for chunk in chunks] == [("diagram", "## Diagram"), ("child", "Text.")]


def test_long_heading_paths_give_way_in_the_middle() -> None:
    page = "\n\n".join(f"{'#' * n} " + f"level {n} " * 12 for n in range(2, 7)) + "\n\nText."
    (chunk,) = chunks_of(page)
    assert chunk.heading_path[0] == "Title"
    assert chunk.heading_path[-1].startswith("level 6")
    assert any("…" in name for name in chunk.heading_path)
    assert chunk.section == ("level 6 " * 12).strip()


def test_a_limit_that_cannot_be_kept_is_an_error_and_never_a_cut() -> None:
    with pytest.raises(BookError):
        chunk_book(book("Some text of the book."), lambda texts: [300 for _ in texts])


def test_chunking_twice_gives_the_same_chunks() -> None:
    page = "# A\n\n" + "Words of a sentence. " * 200
    assert chunks_of(page) == chunks_of(page)


def test_few_calls_count_many_texts() -> None:
    calls: list[int] = []

    def counting(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return count_tokens(texts)

    chunk_book(book(*(f"## Section {n}\n\nShort text {n}.\n\n- item {n}" for n in range(200))), counting)
    assert len(calls) < 10


def test_lost_words_show_in_the_figure() -> None:
    pages = book("one two three four five six seven eight nine\n\n## ten\n\neleven")
    chunks = chunk_book(pages, count_tokens)
    assert words_kept(pages, chunks) == 1.0
    assert words_kept(pages, chunks[:1]) == pytest.approx(9 / 11)


def test_sentences_end_in_urdu_too_and_not_after_abbreviations() -> None:
    assert split_sentences("یہ روبوٹ ہے۔ کیا یہ چلتا ہے؟ ہاں۔") == ["یہ روبوٹ ہے۔ ", "کیا یہ چلتا ہے؟ ", "ہاں۔"]
    assert split_sentences("See e.g. Fig. 3 of Dr. Khan. It moves! Version 2.0 is out.") == [
        "See e.g. Fig. 3 of Dr. Khan. ",
        "It moves! ",
        "Version 2.0 is out.",
    ]


def test_citation_blocks_keep_fences_and_tables_whole() -> None:
    text = "One. Two.\n\n```py\na. b. c.\n\nd\n```\n\n| a. B | c |\n|---|---|\n| d. E | f |\n\n- First. Second.\n"
    text += "- Third.\n"
    blocks = citation_blocks(text)
    assert "".join(blocks) == text
    assert [block.strip() for block in blocks] == [
        "One.",
        "Two.",
        "```py\na. b. c.\n\nd\n```",
        "| a. B | c |\n|---|---|\n| d. E | f |",
        "- First.",
        "Second.",
        "- Third.",
    ]


PIECES = st.sampled_from(
    [
        "# H\n",
        "## H2 {#x}\n",
        "- item\n",
        "> quote\n",
        "```\n",
        "~~~\n",
        "$$\n",
        "$a$",
        "{",
        "}",
        "<A b={",
        "/>",
        "<Tabs>\n",
        "</Tabs>\n",
        "<Quiz>",
        "</Quiz>",
        ":::note T\n",
        ":::\n",
        "`",
        "**",
        "[a](b)",
        "<!--",
        "-->",
        "\\",
        "\n",
        "\n\n",
        "  ",
        "export const a = [\n",
        "import A from 'a'\n",
        "{/*",
        "*/}",
        "word ",
        "Two words. ",
        "۔ ",
        "\t",
        "\r\n",
        "1. one\n",
        "<details>\n",
    ]
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200)))
def test_no_markdown_crashes_or_leaves_the_limit(page: str) -> None:
    page = page.encode("utf-8", "ignore").decode()
    chunks_of(page, 48)
    assert "".join(citation_blocks(page)) == page


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "## ", "- ", "> ", "1. ", "### ", ":::tip "]),
            st.lists(
                st.sampled_from(["alpha", "beta", "**gamma**", "`delta`", "eps.", "زیٹا", "$x$"]),
                min_size=1,
                max_size=90,
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_word_of_any_page_is_lost(parts: list[tuple[str, list[str]]]) -> None:
    page = "\n\n".join(
        f"{mark}u{n} {' '.join(words[: 6 if '#' in mark else None])}" for n, (mark, words) in enumerate(parts)
    )
    pages = book(page)
    assert words_kept(pages, chunk_book(pages, count_tokens, 64)) == 1.0
