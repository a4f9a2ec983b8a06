"""In which ways the structure of a masked reply differs from its source's, in sentences that a model can act on.

Refuses what could not be MDX any more or shows another page. Accepts what a translator may do: lines joined, other
bullets, emphasis elsewhere in a sentence, loose lists for tight ones. Must not know languages or levels.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from backend.app.textbook.masking import MARK, with_block_lines
from backend.app.textbook.structure_blocks import Structure, StructureBlock, TopBlock, structure_of, top_blocks

__all__ = ["Structure", "StructureBlock", "TopBlock", "differences", "excerpt", "structure_of", "top_blocks"]

_NOUNS = {
    "item": "list items",
    "quote": "block quotes",
    "row": "table rows",
    "th": "table columns",
    "td": "table cells",
    "footnote": "footnotes",
    "rule": "lines of dashes",
    "fence": "code fences of its own",
    "title": "admonition titles",
    "paragraph": "paragraphs",
}
_SIGNS = "<{}`$\\"
_MODULE = re.compile(r"^(?:import|export)(?=[\s{*'\"])", re.MULTILINE)
_LINE_STARTS = (
    (_MODULE, "a line that begins with the word import or export, which is code there"),
    (re.compile(r"^[ \t>]*:::", re.MULTILINE), "a line that begins with :::"),
    (
        re.compile(r"^[ \t>]*(?:[-*+] +|\d+[.)] +)?(?:\[[^\]\n]+\]|⟦N\d+⟧):", re.MULTILINE),
        "a link or footnote definition",
    ),
    (
        re.compile(r":[A-Za-z][\w-]*\["),
        "a colon, a word and a bracket without spaces between them, which is a directive",
    ),
)
_EXCERPT = 60


def differences(source: str, adapted: str) -> list[str]:
    """What a masked reply has lost, added or moved, one sentence each; [] when its structure is the source's."""
    placed = with_block_lines(adapted, source)
    ours, theirs = structure_of(source).blocks, structure_of(placed).blocks
    return [
        *_signs(source, placed),
        *(list(_counted(ours, theirs)) or list(_moved(ours, theirs)) or list(_inside(ours, theirs))),
    ]


def _signs(source: str, adapted: str) -> Iterator[str]:
    """Program that the reply brought along: of what could be program, the source has only marks."""
    for sign in _SIGNS:
        if adapted.count(sign) > source.count(sign):
            yield f"Your text has {sign!r} outside of the marks: write no code, HTML or formulas of your own."
    for pattern, what in _LINE_STARTS:
        if len(pattern.findall(adapted)) > len(pattern.findall(source)):
            yield f"Your text has {what}; the source has not."


def _counted(ours: Sequence[StructureBlock], theirs: Sequence[StructureBlock]) -> Iterator[str]:
    """Kinds of blocks of which there are more or fewer."""
    wanted, found = (Counter(_kind(block) for block in blocks) for blocks in (ours, theirs))
    for kind in [*wanted, *(kind for kind in found if kind not in wanted)]:
        if wanted[kind] == found[kind]:
            continue
        if kind.startswith("⟦"):
            yield f"The mark {kind} has to stand alone on its line, as in the source."
        else:
            yield f"The source has {wanted[kind] or 'no'} {kind}, your text has {found[kind] or 'none'}."


def _kind(block: StructureBlock) -> str:
    if block.name == "mark":
        return block.detail
    return f"headings of level {block.detail[1:]}" if block.name == "heading" else _NOUNS.get(block.name, block.name)


def _moved(ours: Sequence[StructureBlock], theirs: Sequence[StructureBlock]) -> Iterator[str]:
    """The first block that stands where the source has another one."""
    for mine, other in zip_longest(ours, theirs):
        if mine is None or other is None or _place(mine) != _place(other):
            yield f"Where the source has {_described(mine)}, your text has {_described(other)}."
            return


def _place(block: StructureBlock) -> tuple[object, ...]:
    return block.name, block.detail, block.around, bool(block.text.strip())


def _described(block: StructureBlock | None) -> str:
    if block is None:
        return "its end"
    shown = f" {excerpt(block.text)!r}" if block.text.strip() else ""
    detail = f" ({block.detail})" if block.detail and block.detail not in shown else ""
    inside = f" in {', '.join(block.around)}" if block.around else ""
    return f"a {block.name}{detail}{inside}{shown}"


def _inside(ours: Sequence[StructureBlock], theirs: Sequence[StructureBlock]) -> Iterator[str]:
    for mine, other in zip(ours, theirs, strict=True):
        place = f"in {excerpt(other.text)!r}"
        for lost in mine.inline - other.inline:
            yield f"{_lost(lost)}, {place}."
        if other.inline - mine.inline and not mine.inline - other.inline:
            yield f"{', '.join(other.inline - mine.inline)} does not belong {place}."
        if mine.bold and not other.bold:
            yield f"The bold words are not bold any more {place}."
        if other.loose > mine.loose:
            yield f"Signs of emphasis (**) do not close {place}: a closing one stands directly behind a letter."
        if other.lines > mine.lines:
            yield f"A mark stands alone on a line {place}; it belongs in one line with the words around it."
        if other.name == "title" and other.text.count("[") != other.text.count("]"):
            yield f"The brackets of the title do not match {place}."


def _lost(what: str) -> str:
    marks = MARK.findall(what)
    if what.startswith(("link", "empty", "]")):
        return f"The link [...]({''.join(marks)}) has to stay one, with its words in the brackets"
    if "…" in what or "×" in what:
        return f"The marks {' and '.join(marks)} have to enclose words, in this order and inside of the same emphasis"
    return f"The mark {what} is not where it belongs"


def excerpt(text: str) -> str:
    """How a text begins, on one line: so a model finds what is meant."""
    plain = " ".join(text.split())
    return plain if len(plain) <= _EXCERPT else f"{plain[: _EXCERPT - 3]}..."
