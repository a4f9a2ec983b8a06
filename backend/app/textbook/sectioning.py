"""A chapter -> the pieces that are adapted one by one.

Knows top-level blocks, elements that must stay whole, and words. Must not know models.

Where the cuts are: every list of parts (the sections of a chapter, the subsections of a section, the blocks of a
subsection) is one piece when it is small enough, else it is halved by the *number* of its parts, and each half is
looked at again. Sections are small enough by the number of their blocks, and words only count where they are too many
for one piece. So a cut depends on the page's structure and not on the words before it: editing a paragraph changes
its own piece, and at most divides that piece when it becomes too long, or joins two halves that became short.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from backend.app.models.adaptation import Piece
from backend.app.textbook.docusaurus import content_title
from backend.app.textbook.javascript import Scanner
from backend.app.textbook.masking import MARK, Mask, MaskedText, count_words, mask
from backend.app.textbook.parser import inline_text, split_lines
from backend.app.textbook.structure import top_blocks

_MOST_WORDS = 600  # of a piece
_JOINED_BLOCKS = 8  # neighbouring sections stay together up to here: a call has a price of its own


_DEEPEST_CUT = 3  # h3
_NO_HEADING = 7
_WORDLESS = frozenset({"mark", "hr"})


@dataclass(frozen=True, slots=True)
class _Unit:
    """Blocks that are never parted, a range of the content. `headings` are those it begins with."""

    start: int
    end: int
    words: int
    headings: tuple[tuple[int, str], ...]

    @property
    def level(self) -> int:
        return self.headings[0][0] if self.headings else _NO_HEADING


def split_chapter(content: str, title: str) -> tuple[Piece, ...]:
    """The pieces in order. A "title" piece comes first when the content does not open with its own h1."""
    own_title = title.strip() and not content_title(content)
    named = (Piece(f"# {' '.join(title.split())}\n", (title,), "title"),) if own_title else ()
    return (*named, *_body(content, title))


def _body(content: str, title: str) -> Iterator[Piece]:
    units = _units(content)
    path: list[tuple[int, str]] = []
    for group in _groups(units, level=2):
        start, end = group[0].start, group[-1].end
        above = tuple(text for level, text in path if level < group[0].level)
        yield Piece(content[start:end], (title, *above))
        for level, text in (heading for unit in group for heading in unit.headings):
            path = [entry for entry in path if entry[0] < level]
            if level > 1:
                path.append((level, text))


def _groups(units: Sequence[_Unit], level: int) -> Iterator[Sequence[_Unit]]:
    """The units of each piece. Sections of `level` are the parts; beyond h3 each unit is one."""
    joined = level > _DEEPEST_CUT or len(units) <= _JOINED_BLOCKS
    if len(units) <= 1 or (joined and sum(unit.words for unit in units) <= _MOST_WORDS):
        if units:
            yield units
        return
    starts = [n for n, unit in enumerate(units) if n == 0 or level > _DEEPEST_CUT or unit.level <= level]
    if len(starts) == 1:
        yield from _groups(units, level + 1)
        return
    middle = starts[len(starts) // 2]
    yield from _groups(units[:middle], level)
    yield from _groups(units[middle:], level)


def _units(content: str) -> list[_Unit]:
    masked = mask(content)
    lines = split_lines(masked.text)
    words = list(accumulate(map(count_words, lines), initial=0))
    offsets = _offsets(masked, lines)
    openings = list(_openings(masked, len(lines))) if lines else []
    ends = [*(line for line, _ in openings[1:]), len(lines)][: len(openings)]
    return [
        _Unit(offsets[line], offsets[end], words[end] - words[line], headings)
        for (line, headings), end in zip(openings, ends, strict=True)
    ]


def _openings(masked: MaskedText, lines: int) -> Iterator[tuple[int, tuple[tuple[int, str], ...]]]:
    """(line, headings) of each unit: one begins at a block with words that stands in no element and does not follow a
    heading; wordless blocks (code, rules) belong to what is above them."""
    inside = _inside_elements(masked, lines)
    line = 0
    headings: list[tuple[int, str]] = []
    has_text = False
    for block in top_blocks(masked.text):
        if block.name in _WORDLESS or inside[block.line]:
            continue
        if has_text:
            yield line, tuple(headings)
            line, headings, has_text = block.line, [], False
        if block.name == "heading":
            headings.append((block.level, heading_words(block.text, masked)))
        else:
            has_text = True
    yield line, tuple(headings)


def heading_words(heading: str, masked: MaskedText) -> str:
    """What a reader sees of a heading of this masked text: no id, no tags."""

    def shown(match: re.Match[str]) -> str:
        return "" if match.group()[1] in "HTYSE" else masked.masks[int(match.group()[2:-1]) - 1].source

    return " ".join(inline_text(MARK.sub(shown, heading)).split())


def _inside_elements(masked: MaskedText, lines: int) -> list[bool]:
    """Whether each line stands inside an element or admonition, where nothing is cut."""
    depth = [0] * (lines + 1)
    for first, last in _elements(masked):
        depth[first + 1] += 1
        depth[last + 1] -= 1
    return [bool(open_ones) for open_ones in accumulate(depth)]


def _elements(masked: MaskedText) -> Iterator[tuple[int, int]]:
    """(line of the opening, line of the closing) of every element and admonition that is closed."""
    opened: list[tuple[str, int]] = []
    unclosed: Counter[str] = Counter()
    line = position = 0
    for found, place in zip(masked.masks, MARK.finditer(masked.text), strict=True):
        line += masked.text.count("\n", position, place.start())
        position = place.start()
        for name, opens in _ends(found):
            if opens:
                opened.append((name, line))
                unclosed[name] += 1
            elif unclosed[name]:
                while (last := opened.pop())[0] != name:
                    unclosed[last[0]] -= 1
                unclosed[name] -= 1
                yield last[1], line


def _ends(found: Mask) -> Iterator[tuple[str, bool]]:
    """(name, does it open?) of the tags and admonition markers in a mask."""
    letter = found.mark[1]
    if letter in "AO":
        yield ":::", True
    elif letter == "Z":
        yield ":::", False
    elif letter in "TYJ":
        scanner = Scanner(found.source)
        position = 0
        while (start := found.source.find("<", position)) >= 0:
            tag = scanner.tag_at(start)
            position = tag.end if tag else start + 1
            if tag and not tag.alone:
                yield tag.name, not tag.closing


def _offsets(masked: MaskedText, lines: Sequence[str]) -> list[int]:
    """Where each line of the masked text begins in the content, and where the last one ends."""
    places = list(MARK.finditer(masked.text))
    starts = list(accumulate(map(len, lines), initial=0))
    offsets: list[int] = []
    grown = number = 0
    for start in starts:
        while number < len(places) and places[number].start() < start:
            grown += len(masked.masks[number].source) - len(masked.masks[number].mark)
            number += 1
        offsets.append(start + grown)
    return offsets
