"""A chapter -> the pieces that are adapted one by one.

Knows top-level blocks, elements that must stay whole, and words. Must not know models.

Where the cuts are: every list of parts (the sections of a chapter, the subsections of a section, the blocks of a
subsection) is one piece when it is small enough, else it is halved by the *number* of its parts, and each half is
looked at again. Sections are small enough by the number of their blocks, and words only count where they are too many
for one piece; a paragraph or list that is too long by itself is halved in the same way, by its sentences or items.
So a cut depends on the page's structure and not on the words before it: editing a paragraph changes its own piece,
and at most divides that piece when it becomes too long, or joins two halves that became short.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from backend.app.models.adaptation import Piece
from backend.app.textbook.docusaurus import content_title
from backend.app.textbook.javascript import Scanner
from backend.app.textbook.long_blocks import CUTTABLE, cuts_of_list, cuts_of_paragraph, weight
from backend.app.textbook.masking import MARK, Mask, MaskedText, mask
from backend.app.textbook.parser import inline_text, split_lines
from backend.app.textbook.structure import TopBlock, top_blocks

MOST_WORDS = 600
"""Of a piece, by weight. Only a single table, quote, element or the like may have more."""
_JOINED_BLOCKS = 8  # neighbouring sections stay together up to here: a call has a price of its own


_DEEPEST_CUT = 3  # h3
_NO_HEADING = 7
_WORDLESS = frozenset({"mark", "hr"})


@dataclass(frozen=True, slots=True)
class _Unit:
    """Blocks that stay together, a range of the content. `headings` are those it begins with; `parts` is not empty
    when it is too long, and can be cut all the same."""

    start: int
    end: int
    weight: float
    headings: tuple[tuple[int, str], ...]
    parts: "tuple[_Unit, ...]" = ()

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
    if len(units) <= 1 or (joined and sum(unit.weight for unit in units) <= MOST_WORDS):
        if len(units) == 1 and units[0].parts:
            yield from _groups(units[0].parts, _NO_HEADING)
        elif units:
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
    starts = list(accumulate(map(len, lines), initial=0))
    inside = _inside_elements(masked, len(lines))
    found: list[tuple[_Opening, list[int]]] = []
    openings = list(_openings(masked, inside)) if lines else []
    for opening, end in zip(openings, [*(each.line for each in openings[1:]), len(lines)], strict=False):
        ends = starts[opening.line], starts[end]
        heavy = weight(masked.text[slice(*ends)]) > MOST_WORDS
        inner = _cuts(masked.text, starts, opening.block, inside) if heavy else []
        found.append((opening, [ends[0], *inner, ends[1]]))
    return _placed(masked, found)


def _cuts(text: str, starts: Sequence[int], block: TopBlock | None, inside: Sequence[bool]) -> list[int]:
    """Where in the masked text a block is cut that is too long."""
    if block is None or block.name not in CUTTABLE:
        return []
    if block.name != "paragraph":
        return [starts[line] for line in cuts_of_list(block, inside)]
    start = starts[block.line]
    return [start + cut for cut in cuts_of_paragraph(text[start : starts[block.end]], MOST_WORDS)]


def _placed(masked: MaskedText, found: "Sequence[tuple[_Opening, list[int]]]") -> list[_Unit]:
    """Units by their places in the content instead of the masked text."""
    offsets = iter(_offsets(masked, [place for _, places in found for place in places]))
    units: list[_Unit] = []
    for opening, places in found:
        ranges = list(pairwise([(place, next(offsets)) for place in places]))
        parts = tuple(
            _Unit(start, end, weight(masked.text[first:last]), () if number else opening.headings)
            for number, ((first, start), (last, end)) in enumerate(ranges)
        )
        start, end, total = ranges[0][0][1], ranges[-1][1][1], sum(part.weight for part in parts)
        units.append(_Unit(start, end, total, opening.headings, parts if len(parts) > 1 else ()))
    return units


@dataclass(frozen=True, slots=True)
class _Opening:
    """The line where a unit begins, the headings there, and its first block with words."""

    line: int
    headings: tuple[tuple[int, str], ...]
    block: TopBlock | None


def _openings(masked: MaskedText, inside: Sequence[bool]) -> Iterator[_Opening]:
    """A unit begins at a block with words that stands in no element and does not follow a heading; wordless blocks
    (code, rules) belong to what is above them."""
    line = 0
    headings: list[tuple[int, str]] = []
    text: TopBlock | None = None
    for block in top_blocks(masked.text):
        if block.name in _WORDLESS or inside[block.line]:
            continue
        if text:
            yield _Opening(line, tuple(headings), text)
            line, headings, text = block.line, [], None
        if block.name == "heading":
            headings.append((block.level, heading_words(block.text, masked)))
        else:
            text = block
    yield _Opening(line, tuple(headings), text)


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


def _offsets(masked: MaskedText, places: Sequence[int]) -> list[int]:
    """Where these places of the masked text, in order, are in the content."""
    marks = list(MARK.finditer(masked.text))
    offsets: list[int] = []
    grown = number = 0
    for place in places:
        while number < len(marks) and marks[number].start() < place:
            grown += len(masked.masks[number].source) - len(masked.masks[number].mark)
            number += 1
        offsets.append(place + grown)
    return offsets
