"""A page that stands for a chapter -> what it has for each piece of the chapter.

Told by the order of its blocks alone, so it works whatever words a page has. Pure.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, zip_longest

from backend.app.adaptation import additions
from backend.app.models.adaptation import Piece, Target, Translate
from backend.app.textbook.masking import MARK, Mask, MaskedText, mask, put_back
from backend.app.textbook.parser import split_lines
from backend.app.textbook.structure import TopBlock, top_blocks

_SHOWN = 60  # characters of a page in a message
_NAMES: dict[str, str] = {
    "heading": "a heading",
    "paragraph": "a paragraph",
    "bullet_list": "a list",
    "ordered_list": "a numbered list",
    "blockquote": "a quote",
    "table": "a table",
    "hr": "a rule",
    "title": "an admonition with a title",
}
_MARKED: dict[str, str] = {
    "K": "code",
    "M": "a formula",
    "J": "a component",
    "B": "an expression",
    "P": "an import",
    "O": "an admonition",
    "Z": "the end of an admonition (:::)",
    "R": "a rule",
}


class NotTheChapter(ValueError):
    """The page is not the chapter that it is taken for. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Section:
    """What a page has for one piece of its chapter. `line` of the page counts from 1."""

    piece: Piece
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class _Block:
    """`line` of the masked page; `marks` counts what is masked in it, by letter and source."""

    name: str
    line: int
    marks: Counter[tuple[str, str]]
    text: str


def cut_page(pieces: Sequence[Piece], page: str, target: Target) -> list[Section]:
    """The page's text for each of these (body) pieces of its chapter, as the pipeline would have written it.
    Raises NotTheChapter at the first block that is another one than the source's."""
    masked = mask(page)
    lines = split_lines(masked.text)
    if isinstance(target, Translate):
        starts = _same_blocks(pieces, _blocks(masked), masked)
    else:
        source = "".join(mask(piece.text).text for piece in pieces)
        added = additions.added_lines(source, masked.text)
        kept = [block for block in _blocks(masked) if not any(start <= block.line < end for start, end in added)]
        starts = _same_blocks_or_more_paragraphs(pieces, kept, masked)
    bounds = [0, *starts[1:], len(lines)]
    texts = [put_back("".join(lines[start:end]), masked.masks) for start, end in pairwise(bounds)]
    counts = accumulate((text.count("\n") for text in texts), initial=1)
    return [Section(piece, text, line) for piece, text, line in zip(pieces, texts, counts, strict=False)]


def _blocks(masked: MaskedText) -> list[_Block]:
    lines = split_lines(masked.text)
    sources = {found.mark: found.source.strip() for found in masked.masks}
    tops = top_blocks(masked.text)
    ends = [*(top.line for top in tops[1:]), len(lines)]
    blocks: list[_Block] = []
    for top, end in zip(tops, ends, strict=True):
        text = "".join(lines[top.line : end])
        marks = Counter((mark[1], sources[mark]) for mark in MARK.findall(text))
        blocks.append(_Block(_name(top, lines[top.line]), top.line, marks, text))
    return blocks


def _name(top: TopBlock, line: str) -> str:
    if top.name == "mark":
        letter = line.strip(" \t>")[1:2]
        return _MARKED.get(letter, f"a block of kind {letter}")
    return _NAMES["heading"] + f" of level {top.level}" if top.level else _NAMES.get(top.name, top.name)


def _same_blocks(pieces: Sequence[Piece], theirs: Sequence[_Block], page: MaskedText) -> list[int]:
    """The line of the masked page on which each piece begins: as many blocks as the source has, of the same kinds."""
    starts: list[int] = []
    ours: list[tuple[str, str]] = []
    for piece in pieces:
        starts.append(len(ours))
        ours.extend((block.name, _place(piece)) for block in _blocks(mask(piece.text)))
    for mine, other in zip_longest(ours, theirs):
        if mine is None or other is None or mine[0] != other.name:
            raise _not_the_chapter(mine, other, page)
    return [theirs[index].line for index in starts]


def _same_blocks_or_more_paragraphs(pieces: Sequence[Piece], theirs: Sequence[_Block], page: MaskedText) -> list[int]:
    """The same for a text whose paragraphs may have been split or joined: only runs of them are compared."""
    starts: list[int] = []
    ours: list[_Block] = []
    places: list[str] = []
    for piece in pieces:
        starts.append(len(ours))
        ours.extend(_blocks(mask(piece.text)))
        places.extend([_place(piece)] * (len(ours) - len(places)))
    lines: list[int] = []
    for mine, other in zip_longest(_runs(ours), _runs(theirs)):
        if mine is None or other is None or mine[0].name != other[0].name:
            wanted = (mine[0].name, places[len(lines)]) if mine else None
            raise _not_the_chapter(wanted, other[0] if other else None, page)
        lines.extend(other[_split_at(mine, other, offset)].line for offset in range(len(mine)))
    return [lines[start] for start in starts]


def _runs(blocks: Sequence[_Block]) -> list[list[_Block]]:
    """Paragraphs that follow each other are one run; every other block is one by itself."""
    runs: list[list[_Block]] = []
    for block in blocks:
        if runs and block.name == runs[-1][0].name == _NAMES["paragraph"]:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs


def _split_at(mine: Sequence[_Block], other: Sequence[_Block], offset: int) -> int:
    """Which paragraph of the other run begins what is `offset` in mine: where as much that is masked stands before,
    and of several such places the one nearest to its place in mine."""
    if offset == 0:
        return 0
    wanted = sum((block.marks for block in mine[:offset]), Counter[tuple[str, str]]())
    expected = offset * len(other) / len(mine)
    before = accumulate((block.marks for block in other), initial=Counter[tuple[str, str]]())
    fitting = [number for number, marks in enumerate(before) if marks == wanted and 0 < number < len(other)]
    usual = min(max(round(expected), 0), len(other) - 1)
    return min(fitting, key=lambda number: abs(number - expected), default=usual)


def _not_the_chapter(mine: tuple[str, str] | None, other: _Block | None, page: MaskedText) -> NotTheChapter:
    wanted = f"{mine[0]} (below “{mine[1]}”)" if mine else "its end"
    if other is None:
        open_fence = next((found for found in reversed(page.masks) if _is_open_fence(found)), None)
        before = page.text.partition(open_fence.mark)[0] if open_fence else page.text
        why = (
            "the code that begins here is not closed"
            if open_fence
            else f"the page ends where the source has {wanted}"
        )
        return NotTheChapter(put_back(before, page.masks).count("\n") + bool(open_fence), f"{why}.")
    before = "".join(split_lines(page.text)[: other.line])
    shown = " ".join(put_back(other.text, page.masks).split())[:_SHOWN]
    line = put_back(before, page.masks).count("\n") + 1
    return NotTheChapter(line, f"{other.name} (“{shown}”) where the source has {wanted}.")


def _is_open_fence(found: Mask) -> bool:
    first, *_, last = found.source.split("\n") * 2
    marker = first.strip()[:3]
    return found.mark[1] == "K" and (found.source.count("\n") == 0 or not last.strip(" \t>").startswith(marker))


def _place(piece: Piece) -> str:
    heading = re.search(r"^#{1,6}[ \t]+(.+?)[ \t]*(?:⟦H\d+⟧)?[ \t#]*$", mask(piece.text).text, re.MULTILINE)
    return MARK.sub("…", heading[1]) if heading else piece.heading_path[-1]
