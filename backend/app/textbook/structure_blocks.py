"""The structure of a masked text: its blocks in order, and what must stand in each of them.

Knows CommonMark with tables and footnotes, and the letters of `masking`. Must not know languages, levels or what
marks stand for. In what two structures differ is said by `structure`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from mdit_py_plugins.footnote.index import footnote_def

from backend.app.textbook.masking import BLOCK_LETTERS, MARK

_ALONE = re.compile(rf"⟦[{BLOCK_LETTERS}]\d+⟧[ \t]*$")
_TITLE = re.compile(r"⟦A\d+⟧")
_SETEXT = {"U": "===", "V": "---"}
_LABEL = re.compile(r"\]\[(⟦L\d+⟧)\]")
_TARGET = re.compile(r"\]\(⟦L\d+⟧\)|\]\[⟦L\d+⟧\]")
_TAG = re.compile(r"⟦[TY]\d+⟧")
_PROGRAM_LINE = re.compile(r"^[ \t]*(?:⟦[TYSEH]\d+⟧[ \t]*)+$", re.MULTILINE)
_LOOSE = re.compile(r"\*\*|__|~~")
_CONTAINERS = ("blockquote", "bullet_list", "ordered_list", "footnote_reference")
_LONGEST = 20_000  # characters of a block that is read for links and tags: some inline rules are quadratic
_MOST_BRACKETS = 100


@dataclass(frozen=True, slots=True)
class StructureBlock:
    """One block in the order of the page: "heading", "paragraph", "item", "quote", "row", "th", "td", "footnote",
    "rule", "fence", "title" (of an admonition) or "mark" (a block mark).

    `detail` is what must be equal: a heading's level ("h2"), an item's list, a row's cells, the mark itself; `around`
    names the quotes and lists it stands in, the outermost first; `inline` counts its marks, its links, and its tags
    with what closes them; `line` and `end` are its half-open range of lines, `text` its inline Markdown. `bold`
    counts bold parts, `loose` signs of emphasis that are none, `lines` those with nothing but tags and expressions.
    """

    name: str
    detail: str
    around: tuple[str, ...]
    inline: Counter[str]
    text: str
    line: int
    end: int
    bold: int = 0
    loose: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Structure:
    """What must be the same on both sides of an adaptation."""

    blocks: tuple[StructureBlock, ...]


@dataclass(frozen=True, slots=True)
class TopBlock:
    """A block that stands in no other one, a half-open range of lines. `level` and `text` are set for headings,
    `items` for lists: the lines at which they begin."""

    name: str
    line: int
    end: int
    level: int = 0
    text: str = ""
    items: Sequence[int] = ()


def structure_of(markdown: str) -> Structure:
    """The blocks of a masked text."""
    plain = _plain(markdown)
    return Structure(tuple(_Reader(plain.split("\n")).read(_MARKDOWN.parse(plain))))


def top_blocks(markdown: str) -> list[TopBlock]:
    """The outermost blocks of a masked text in order: whole lists, quotes and tables count as one."""
    tokens = _MARKDOWN.parse(_plain(markdown))
    found: list[TopBlock] = []
    items: list[int] = []
    for number, token in enumerate(tokens):
        if token.level == 0 and token.nesting >= 0 and token.map:
            heading = token.type == "heading_open"
            level, text = (int(token.tag[1]), tokens[number + 1].content) if heading else (0, "")
            (first, end), items = token.map, list[int]()
            found.append(TopBlock(token.type.removesuffix("_open"), first, end, level, text, items))
        elif token.level == 1 and token.type == "list_item_open" and token.map:
            items.append(token.map[0])
    return found


def _plain(markdown: str) -> str:
    """The text with Markdown again for the marks that make a setext heading or a footnote, line by line."""
    plain = markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    plain = re.sub(r"⟦([UV])\d+⟧", lambda match: _SETEXT[match[1]], plain)
    return re.sub(r"^([ \t>]*)⟦D(\d+)⟧[ \t]*", r"\1[^D\2]: ", plain, flags=re.MULTILINE)


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
    return markdown.disable(["code", "html_block", "html_inline", "reference", "entity", "autolink", "inline"])


_MARKDOWN = _markdown()


@dataclass(slots=True)
class _Reader:
    lines: list[str]
    around: list[str] = field(default_factory=list[str])
    name: str = ""
    detail: str = ""
    place: tuple[int, int] = (0, 0)
    first: str = ""  # of the list that has just begun: where it counts from

    def read(self, tokens: list[Token]) -> Iterator[StructureBlock]:
        for token in tokens:
            if token.map and token.type != "inline":
                self.place = (token.map[0], token.map[1])
            name = token.type.removesuffix("_open").removesuffix("_close")
            if name in _CONTAINERS:
                yield from self._container(name, token)
            elif token.type == "inline":
                yield self._inline(token.content)
            elif token.type == "list_item_open":
                yield self._block("item", self.around[-1] + self.first)
                self.first = ""
            elif token.type == "tr_open":
                yield self._block("row", str(_count_cells(self.lines[self.place[0]])))
            elif token.type in ("mark", "hr", "fence"):
                yield self._block("rule" if token.type == "hr" else token.type, token.content[:60])
            elif token.type == "title":
                self.name, self.detail = "title", token.content.partition("⟧")[0] + "⟧"
                yield self._inline(token.content)
            elif token.nesting == 1:
                alignment = str(token.attrs.get("style", ""))
                self.name, self.detail = name, token.tag if name == "heading" else alignment

    def _container(self, name: str, token: Token) -> Iterator[StructureBlock]:
        if token.nesting < 0:
            self.around.pop()
            return
        if name == "blockquote":
            yield self._block("quote", "")
        elif name == "footnote_reference":
            yield self._block("footnote", str(token.meta.get("label", "")))
        start = token.attrs.get("start", 1)
        self.first = f" from {start}" if start != 1 else ""
        self.around.append(name)

    def _block(self, name: str, detail: str) -> StructureBlock:
        return StructureBlock(name, detail, tuple(self.around), Counter(MARK.findall(detail)), "", *self.place)

    def _inline(self, text: str) -> StructureBlock:
        inline = Counter(MARK.findall(text) + _TARGET.findall(text))
        bold = loose = 0
        if len(text) <= _LONGEST and text.count("[") <= _MOST_BRACKETS:
            tokens: list[Token] = []
            _MARKDOWN.inline.parse(_LABEL.sub(r"](\1)", text), _MARKDOWN, {}, tokens)
            inline.update(_pairs(tokens))
            inline.update(_links(tokens))
            bold = sum(token.type == "strong_open" for token in tokens)
            loose = sum(len(_LOOSE.findall(token.content)) for token in tokens if token.type == "text")
        lines = len(_PROGRAM_LINE.findall(text))
        where = tuple(self.around)
        return StructureBlock(self.name, self.detail, where, inline, text, *self.place, bold, loose, lines)


def _count_cells(line: str) -> int:
    row = line.strip(" \t>").removeprefix("|").removesuffix("|")
    return row.count("|") + 1


def _links(tokens: list[Token]) -> Iterator[str]:
    """Each link by its target's mark; one without a word is another link."""
    for number, token in enumerate(tokens):
        if token.type == "link_open":
            empty = number + 1 < len(tokens) and tokens[number + 1].type == "link_close"
            yield f"{'empty ' if empty else ''}link {unquote(str(token.attrs.get('href', '')))}"


def _pairs(tokens: list[Token]) -> Iterator[str]:
    """Each opening tag with the closing one that belongs to it; a pair that crosses emphasis or a link is another."""
    opened: list[tuple[str, tuple[int, ...]]] = []
    path: list[int] = []
    for number, token in enumerate(tokens):
        if token.nesting == 1:
            path.append(number)
        elif token.nesting == -1 and path:
            path.pop()
        for tag in _TAG.findall(token.content) if token.type == "text" else ():
            if tag[1] == "T":
                opened.append((tag, tuple(path)))
            elif opened:
                opening, where = opened.pop()
                yield f"{opening}…{tag}" if where == tuple(path) else f"{opening}×{tag}"
            else:
                yield f"…{tag}"
    yield from (f"{opening}…" for opening, _ in opened)
