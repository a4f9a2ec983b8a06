"""What must not change in a chapter -> marks that a model carries along, and back.

Knows MDX as Docusaurus reads it. Must not know models, languages or levels. The letter of a mark says what it stands
for and how it stands:

- in a line: C code, F formula, L a link's target or a bare address, N footnote mark, I image, E expression or
  comment, H heading id, X a single sign or entity, T opening tag, Y closing tag, S tag without content;
- at the start of a line, before prose: A an admonition's marker, D a footnote's label;
- alone on its line, a block: K code, M formula, J tags, B expressions or comments, P import or export, O an
  admonition's marker without title, Z its end, R thematic break, U and V the line below a heading of level 1 and 2,
  G a link definition, W front matter.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from backend.app.textbook.opaque import find_opaque

MaskKind = Literal["code", "formula", "link", "image", "tag", "module", "admonition", "heading_id", "literal"]

_KINDS: dict[str, MaskKind] = {
    **dict.fromkeys("CK", "code"),
    **dict.fromkeys("FM", "formula"),
    **dict.fromkeys("LNDG", "link"),
    "I": "image",
    **dict.fromkeys("TYSEJB", "tag"),
    "P": "module",
    **dict.fromkeys("AOZ", "admonition"),
    "H": "heading_id",
    **dict.fromkeys("XRUVW", "literal"),
}
BLOCK_LETTERS = "KMJBPOZRUVGW"
MARK = re.compile(r"⟦[A-Z]\d+⟧")
_ANY_MARK = re.compile(r"⟦[^⟦⟧\n]{0,40}⟧|[⟦⟧]")
_MARKED_LINE = re.compile(
    rf"(?P<prefix>[ \t>]*(?:(?:[-*+]|\d{{1,9}}[.)])[ \t>]+)*)"
    rf"(?P<mark>⟦(?:[{BLOCK_LETTERS}]\d+⟧(?=[ \t\r]*$)|[AD]\d+⟧))(?P<rest>.*)",
    re.DOTALL,
)
_BULLET = re.compile(r"[-*+]")
_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_EDGES = re.compile(r"\A(\ufeff?[ \t\r\n]*)(.*?)([ \t\r\n]*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mask:
    """`mark` ("⟦C12⟧": the letter of its kind, a number unique in the piece) stands for `source`, verbatim. A block
    mask has its line for itself: whatever white space a reply puts around it, the line comes back as it was."""

    mark: str
    source: str
    kind: MaskKind
    is_block: bool


@dataclass(frozen=True, slots=True)
class MaskedText:
    """`text` is what a model reads. `words` counts what is left to adapt: 0 = nothing, the piece stays as it is."""

    text: str
    masks: tuple[Mask, ...]
    words: int


class BrokenMarks(ValueError):
    """A reply lacks a mark, has one twice or one that was never given. `problems`: one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problems))


def mask(markdown: str) -> MaskedText:
    """The text with marks; equal input gives equal text. Never fails, in time linear in the length."""
    parts: list[str] = []
    masks: list[Mask] = []
    position = 0
    for number, span in enumerate(find_opaque(markdown), 1):
        mark = f"⟦{span.letter}{number}⟧"
        parts += (markdown[position : span.start], mark)
        is_block = span.letter in BLOCK_LETTERS
        masks.append(Mask(mark, markdown[span.start : span.end], _KINDS[span.letter], is_block))
        position = span.end
    text = "".join([*parts, markdown[position:]])
    return MaskedText(text, tuple(masks), count_words(text))


def count_words(masked: str) -> int:
    """Words of a masked text: runs of letters outside of its marks."""
    return len(_WORD.findall(MARK.sub(" ", masked)))


def weight_of(words: int, marks: int, characters: int) -> float:
    """How much of a masked text has to be written again, in words: a mark takes as long as two, and 16 characters as
    one, whatever they are (numbers, dots, a script without spaces)."""
    return max(words + 2 * marks, characters / 16)


def unmask(text: str, masked: MaskedText) -> str:
    """A reply with what its marks stand for; white space at its edges is the source's.
    Raises BrokenMarks unless every mark is there exactly once."""
    problems = list(_broken(text, masked))
    if problems:
        raise BrokenMarks(problems)
    return put_back(with_block_lines(text, masked.text), masked.masks)


def put_back(text: str, masks: Iterable[Mask]) -> str:
    """Any part of a masked text with what its marks stand for, unchecked; a mark of no mask stays."""
    sources = {mask.mark: mask.source for mask in masks}
    return MARK.sub(lambda mark: sources.get(mark.group(), mark.group()), text)


def with_block_lines(reply: str, original: str) -> str:
    """A masked reply as it will stand: the white space at its edges, and around the lines of block marks, admonition
    titles and footnotes, is that of the `original` masked text, and so are their indents and quote marks."""
    edges, inner = _EDGES.match(original), _EDGES.match(reply)
    if edges is None or inner is None:
        return reply
    lines = (edges[1] + inner[2] + edges[3]).split("\n")
    known = {line.mark: line for line in _marked_lines(original.split("\n"))}
    placed: list[str] = []
    position = 0
    for line in _marked_lines(lines):
        wanted = known.get(line.mark)
        if wanted is None:
            continue
        placed += lines[position : line.number]
        while placed and _is_blank(placed[-1]):
            placed.pop()
        placed += [
            *wanted.before,
            _prefix(wanted.prefix, line.prefix) + line.mark + line.rest + wanted.trail,
            *wanted.behind,
        ]
        position = line.number + 1 + len(line.behind)
    return "\n".join([*placed, *lines[position:]])


@dataclass(frozen=True, slots=True)
class _MarkedLine:
    """A line that begins with a mark, and the blank lines around it. `trail`: white space behind a block mark."""

    number: int
    mark: str
    prefix: str
    rest: str
    trail: str
    before: tuple[str, ...]
    behind: tuple[str, ...]


def _marked_lines(lines: Sequence[str]) -> Iterator[_MarkedLine]:
    for number, line in enumerate(lines):
        match = _MARKED_LINE.match(line) if "⟦" in line else None
        if match:
            before = _blanks(lines, range(number - 1, -1, -1))
            behind = _blanks(lines, range(number + 1, len(lines)))
            rest = match["rest"].rstrip(" \t\r") if match["mark"][1] in BLOCK_LETTERS else match["rest"]
            trail = match["rest"][len(rest) :]
            yield _MarkedLine(number, match["mark"], match["prefix"], rest, trail, before[::-1], behind)


def _prefix(wanted: str, found: str) -> str:
    """The original's, with the bullets of the reply: a list may have others."""
    bullets = iter(_BULLET.findall(found))
    return _BULLET.sub(lambda bullet: next(bullets, bullet.group()), wanted)


def _blanks(lines: Sequence[str], places: Iterable[int]) -> tuple[str, ...]:
    return tuple(lines[place] for place in takewhile(lambda place: _is_blank(lines[place]), places))


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\r>")


def _broken(text: str, masked: MaskedText) -> Iterator[str]:
    found = Counter(_ANY_MARK.findall(text))
    for mask in masked.masks:
        times = found.pop(mask.mark, 0)
        if times == 0:
            yield f"The mark {mask.mark} is missing."
        elif times > 1:
            yield f"The mark {mask.mark} is there {times} times instead of once."
    for mark in found:
        yield f"The mark {mark} is not one of the source's."
