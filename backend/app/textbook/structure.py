"""The structure of a masked text, and in which ways another one differs from it.

Knows CommonMark with tables and the letters of `masking`. Must not know languages, levels or what marks stand for.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from mdit_py_plugins.footnote.index import footnote_def

from backend.app.textbook.masking import BLOCK_LETTERS, MARK, with_block_lines

_ALONE = re.compile(rf"⟦[{BLOCK_LETTERS}]\d+⟧[ \t]*$")
_TITLE = re.compile(r"⟦A\d+⟧")
_SETEXT = {"U": "===", "V": "---"}


@dataclass(frozen=True, slots=True)
class StructureBlock:
    """One block in the order of the page. `detail` is what must be equal: a heading's level, "ordered", rows x
    columns, the block mark itself; `around` names the quotes and lists it stands in, the outermost first; `inline`
    counts its marks and links; `line` and `end` are its half-open range of lines, `text` its inline Markdown."""

    name: str
    detail: str
    around: tuple[str, ...]
    inline: Counter[str]
    text: str
    line: int
    end: int


@dataclass(frozen=True, slots=True)
class Structure:
    """What must be the same on both sides of an adaptation."""

    blocks: tuple[StructureBlock, ...]


def structure_of(markdown: str) -> Structure:
    """The blocks of a masked text."""
    return Structure(tuple(_blocks(_MARKDOWN.parse(_with_setext(markdown)))))


@dataclass(frozen=True, slots=True)
class TopBlock:
    """A block that stands in no other one. `level` and `text` are set for headings."""

    name: str
    line: int
    level: int = 0
    text: str = ""


def top_blocks(markdown: str) -> list[TopBlock]:
    """The outermost blocks of a masked text in order: whole lists, quotes and tables count as one."""
    tokens = _MARKDOWN.parse(_with_setext(markdown))
    found: list[TopBlock] = []
    for number, token in enumerate(tokens):
        if token.level == 0 and token.nesting >= 0 and token.map:
            heading = token.type == "heading_open"
            level, text = (int(token.tag[1]), tokens[number + 1].content) if heading else (0, "")
            found.append(TopBlock(token.type.removesuffix("_open"), token.map[0], level, text))
    return found


def differences(source: str, adapted: str) -> list[str]:
    """What a masked reply has lost, added or moved, one sentence each; [] when its structure is the source's."""
    ours = structure_of(source).blocks
    theirs = structure_of(with_block_lines(adapted, source)).blocks
    for mine, other in zip_longest(ours, theirs):
        if (
            mine is None
            or other is None
            or (mine.name, mine.detail, mine.around) != (other.name, other.detail, other.around)
        ):
            return [_sentence(mine, other)]
    return [
        f"The {mine.name} {mine.text[:40]!r} has other marks or links than in the source."
        for mine, other in zip(ours, theirs, strict=True)
        if mine.inline != other.inline
    ]


def _sentence(mine: StructureBlock | None, other: StructureBlock | None) -> str:
    wanted = f"a {mine.name} {mine.detail}".strip() if mine else "the end"
    found = f"a {other.name} {other.detail}".strip() if other else "the end"
    place = f" at {other.text[:60]!r}" if other and other.text else ""
    return f"Where the source has {wanted}, your text has {found}{place}."


def _with_setext(markdown: str) -> str:
    return re.sub(r"⟦([UV])\d+⟧", lambda match: _SETEXT[match[1]], markdown)


def _mark_block(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    """markdown-it's rule for a line that belongs to a mark: alone, or an admonition's title."""
    first, stop = state.bMarks[start] + state.tShift[start], state.eMarks[start]
    line = state.src[first:stop]
    name = "mark" if _ALONE.match(line) else "title" if _TITLE.match(line) else ""
    if not name:
        return False
    if silent:
        return True
    state.line = start + 1
    token = state.push(name, "", 0)
    token.content = line.strip()
    token.map = [start, state.line]
    return True


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"maxNesting": 40}).enable(["table", "strikethrough"])
    markdown.block.ruler.before("fence", "mark", _mark_block, {"alt": ["paragraph", "blockquote", "list", "table"]})
    markdown.block.ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})
    return markdown.disable(["code", "html_block", "html_inline", "reference", "entity", "autolink"])


_MARKDOWN = _markdown()


def _blocks(tokens: list[Token]) -> Iterator[StructureBlock]:
    around: list[str] = []
    kind, detail = "", ""
    lines = (0, 0)
    for token in tokens:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if token.type.endswith("_close") and name in ("blockquote", "bullet_list", "ordered_list"):
            around.pop()
        elif name in ("blockquote", "bullet_list", "ordered_list") and token.nesting == 1:
            around.append(name)
        elif token.type == "list_item_open":
            yield _block("item", around[-1], around, token)
        elif token.nesting == 1:
            kind, detail, lines = name, token.tag if name == "heading" else "", _lines(token, lines)
        elif token.type == "inline":
            yield _inline(kind, detail, around, token, lines)
        elif token.type in ("mark", "title", "hr", "fence"):
            yield _block("rule" if token.type == "hr" else token.type, token.content[:60], around, token)


def _lines(token: Token, default: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    return (token.map[0], token.map[1]) if token.map else default


def _block(name: str, detail: str, around: list[str], token: Token) -> StructureBlock:
    marks = MARK.findall(token.content)
    detail = detail if name != "title" else marks[0]
    return StructureBlock(name, detail, tuple(around), Counter(marks), token.content, *_lines(token))


def _inline(kind: str, detail: str, around: list[str], token: Token, lines: tuple[int, int]) -> StructureBlock:
    inside = MARK.findall(token.content) + re.findall(r"\]\(⟦L\d+⟧\)|\]\[⟦L\d+⟧\]", token.content)
    return StructureBlock(kind, detail, tuple(around), Counter(inside), token.content, *lines)
