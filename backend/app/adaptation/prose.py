"""The sentences of a piece as a reader hears them: no headings, tables, code or formulas, no markup and no marks.

Knows Markdown, masked or not. Must not know levels or languages.
"""

import re
from collections.abc import Iterator

from backend.app.textbook.masking import MARK
from backend.app.textbook.mdx import clean
from backend.app.textbook.parser import inline_text, parse_blocks, split_lines
from backend.app.textbook.splitting import split_sentences

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MARKERS = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*", re.MULTILINE)
_NO_PROSE = re.compile(r"^[ \t>]*⟦[AOZ]\d+⟧.*$|^.*\n[ \t>]*⟦[UV]\d+⟧[ \t]*$", re.MULTILINE)


def paragraphs(text: str) -> list[str]:
    """The words of each paragraph and list item, in order; a line break within is a space."""
    return [words for block in raw_paragraphs(text) if (words := words_of(block))]


def raw_paragraphs(text: str) -> list[str]:
    """The same with their inline markup, without marks and the markers of lists and quotes."""
    page = clean(_NO_PROSE.sub("", text)).text
    lines = split_lines(page)
    blocks = ("".join(lines[block.start : block.end]) for block in parse_blocks(page) if block.kind == "text")
    return [MARK.sub(" ", _MARKERS.sub("", block)) for block in blocks]


def sentences(text: str) -> list[str]:
    """All sentences of `paragraphs`, those without a word left out."""
    return [sentence for paragraph in paragraphs(text) for sentence in sentences_of(paragraph)]


def sentences_of(paragraph: str) -> Iterator[str]:
    """The sentences of one paragraph, with its markup if it has any."""
    return (part.strip() for part in split_sentences(paragraph) if WORD.search(part))


def words_of(markdown: str) -> str:
    """Inline Markdown as a reader sees it, on one line; "" when there is no word."""
    words = " ".join(inline_text(markdown).split())
    return words if WORD.search(words) else ""
