"""Markdown of a chapter -> its headings with Docusaurus's anchors, its sections, and the words a reader sees.

Knows CommonMark with tables, strikethrough, dollar math and footnotes as MDX reads them (no indented code, no HTML
blocks). Must not know files, routes or word pieces. Anchors equal those of Docusaurus 3.10.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from github_slugger import slug as github_slug  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote.index import footnote_def

from backend.app.textbook.mdx import CleanPage, clean
from backend.app.textbook.mermaid import diagram_words

BlockKind = Literal["heading", "text", "code", "math", "table"]

_LEAVES: dict[str, BlockKind] = {
    "heading_open": "heading",
    "paragraph_open": "text",
    "fence": "code",
    "math_block": "math",
    "math_block_label": "math",
    "table_open": "table",
}
_WORD = re.compile(r"\w")
_REFERENCE = re.compile(r"\s*\[(?!\^)[^\]]+\]:\s*\S")
_CLASSIC_ID = re.compile(r"\s*\{#([^{}]+)\}\s*$")
_COMMENT_ID = re.compile(r"\s*(?:\{\s*/\*\s*#([^\s}]+)\s*\*/\s*\}|<!--\s*#([^\s>]+)\s*-->)\s*$")
_CODE_TITLE = re.compile(r"""\btitle=(?:"([^"]*)"|'([^']*)')""")
_FOOTNOTE_MARK = re.compile(r"\[\^[^\]\s]{1,100}\]:?")
_INLINE_SLICE = 4_000  # characters given to the inline parser at once: some of its rules are quadratic
_MOST_BRACKETS = 100  # in one slice: more is no prose, and the search for link ends is cubic


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"maxNesting": 40}).enable(["table", "strikethrough"])
    markdown.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    markdown.block.ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})
    # `inline` runs on demand only: chunks need block structure, and a page has far more paragraphs than headings.
    return markdown.disable(["code", "html_block", "html_inline", "inline"])


_MARKDOWN = _markdown()


@dataclass(frozen=True, slots=True)
class Block:
    """A leaf of the page: a heading, paragraph, fence, formula or table, as the half-open range of its lines (with
    list and quote markers). `level` and `content` (the inline Markdown) are set for headings only."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Verbatim lines of a section. `tight`: no blank line stands between it and the block before."""

    kind: BlockKind
    text: str
    tight: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """`anchor` is the element's id on the page ("": none, as for every h1); `in_tabs`: its tab may be hidden."""

    level: int
    text: str
    anchor: str
    in_tabs: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """The text from one heading to the next. `anchor` is where a link should lead: the heading's own id or, when
    it has none or stands in tabs, that of the nearest visible heading above. `source` is the heading as written."""

    title: str
    anchor: str
    heading_path: tuple[str, ...]
    source: str
    blocks: tuple[TextBlock, ...]


def split_lines(text: str) -> list[str]:
    """Lines with their ends, cut where Markdown cuts (never at U+2028 or form feeds): joined they are the text."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def parse_blocks(text: str) -> list[Block]:
    """All leaves in the order of the page, at any depth of quotes and lists. Lines that Markdown leaves without a
    token (nesting beyond 40 levels, footnotes of one word) become text blocks, so that no word is lost."""
    return list(_with_gaps(_leaves(_tokens(text)[0]), split_lines(text)))


def parse_headings(content: str) -> list[Heading]:
    """Every heading of a page with the id that Docusaurus gives it, in order; `content` may be MDX."""
    page = clean(content)
    return _headings(page, parse_blocks(page.text))


def parse_sections(content: str, title: str) -> list[Section]:
    """The sections of a chapter in order; the first one has the text above all headings. `content` may be MDX."""
    page = clean(content)
    lines = [line.rstrip("\r\n") for line in split_lines(page.text)]
    blocks = parse_blocks(page.text)
    headings = {heading.start: heading for heading in _headings(page, blocks)}
    path: list[tuple[int, str]] = [(0, title)]
    sections: list[Section] = []
    opened = Section(title, "", (title,), "", ())
    gathered: list[TextBlock] = []
    anchor, previous_end = "", -1
    for block in blocks:
        heading = headings.get(block.start)
        if heading is None:
            text = "\n".join(lines[block.start : block.end]).rstrip()
            gathered.append(TextBlock(block.kind, text, block.start == previous_end))
        else:
            sections.append(_filled(opened, gathered))
            gathered = []
            if heading.level == 1:
                anchor = ""
            elif heading.anchor and not heading.in_tabs:
                anchor = heading.anchor
            _enter(path, heading, title)
            source = "\n".join(lines[heading.start : heading.end]).strip()
            name = heading.text or path[-1][1]
            opened = Section(name, anchor, tuple(text for _, text in path), source, ())
        previous_end = block.end
    sections.append(_filled(opened, gathered))
    return sections


def plain_text(markdown: str) -> str:
    """The words that the page shows, one line per paragraph, table cell row or code line: no markup, link targets,
    JSX or quizzes. Code and formula sources are words, and the labels of diagrams; an image's alternative text is
    not."""
    text = clean(markdown).text
    tokens, environment = _tokens(text)
    references: dict[str, Any] = environment
    parts: list[str] = []
    for position, token in enumerate(tokens):
        if token.type == "inline":
            in_heading = position > 0 and tokens[position - 1].type == "heading_open"
            content = _without_id(token.content)[0] if in_heading else token.content
            parts.append(_FOOTNOTE_MARK.sub("", inline_text(content, references)))
        elif token.type == "fence":
            parts.append(_fence_words(token))
        elif token.type.startswith("math_block"):
            parts.append(token.content)
    lines = split_lines(text)
    known = dict.fromkeys(_leaves(tokens))
    parts.extend("".join(lines[gap.start : gap.end]) for gap in _with_gaps(known, lines) if gap not in known)
    return "\n".join(part.strip() for part in parts if part.strip())


def _fence_words(fence: Token) -> str:
    if fence.info.split(" ")[0].lower() == "mermaid":
        return diagram_words(fence.content)
    title = _CODE_TITLE.search(fence.info)
    return f"{title[1] or title[2]}\n{fence.content}" if title else fence.content


def inline_text(content: str, references: dict[str, Any] | None = None, *, alt: bool = False) -> str:
    """Inline Markdown without its markup. With `alt`, images count by their alternative text (as for anchors)."""
    parts: list[str] = []
    for piece in _slices(content):
        if piece.count("[") > _MOST_BRACKETS:
            parts.append(piece)
            continue
        tokens: list[Token] = []
        _MARKDOWN.inline.parse(piece, _MARKDOWN, {} if references is None else references, tokens)
        parts.extend(_visible(tokens, alt))
    return "".join(parts)


def _slices(content: str) -> Iterator[str]:
    while len(content) > _INLINE_SLICE:
        cut = content.rfind(" ", _INLINE_SLICE // 2, _INLINE_SLICE) + 1 or _INLINE_SLICE
        yield content[:cut]
        content = content[cut:]
    yield content


def _visible(tokens: Iterable[Token], alt: bool) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif token.type == "image":
            if alt:
                yield from _visible(token.children or (), alt)
        elif token.children:
            yield from _visible(token.children, alt)
        else:
            yield token.content


def _tokens(text: str) -> tuple[list[Token], dict[str, Any]]:
    environment: dict[str, Any] = {}
    return _MARKDOWN.parse(text, environment), environment


def _leaves(tokens: list[Token]) -> list[Block]:
    found: list[Block] = []
    in_table = False
    for position, token in enumerate(tokens):
        kind = _LEAVES.get(token.type)
        if token.type == "table_close":
            in_table = False
        elif kind and not in_table and token.map:
            in_table = kind == "table"
            heading = kind == "heading"
            level = int(token.tag[1]) if heading else 0
            content = tokens[position + 1].content if heading else ""
            found.append(Block(kind, token.map[0], token.map[1], level, content))
    return found


def _with_gaps(blocks: Iterable[Block], lines: list[str]) -> Iterator[Block]:
    position = 0
    for block in [*blocks, Block("text", len(lines), len(lines))]:
        start = position
        for number in range(position, block.start + 1):
            skipped = number == block.start or not _WORD.search(lines[number]) or _REFERENCE.match(lines[number])
            if skipped:
                if start < number:
                    yield Block("text", start, number)
                start = number + 1
        if block.start < len(lines):
            yield block
        position = max(position, block.end)


def _headings(page: CleanPage, blocks: list[Block]) -> list[Heading]:
    slugger = _Slugger()
    found: list[Heading] = []
    tab_lines = {line for start, end in page.tabs for line in range(start, end)} if page.tabs else set[int]()
    for block in blocks:
        if block.kind != "heading":
            continue
        content, anchor = _without_id(block.content)
        text = inline_text(content, alt=True)
        if block.start in page.jsx_headings:
            anchor = page.jsx_headings[block.start]
        elif anchor is None:
            anchor = slugger.slug(text)
        in_tabs = block.start in tab_lines
        shown = " ".join(text.split())
        found.append(Heading(block.level, shown, "" if block.level == 1 else anchor, in_tabs, block.start, block.end))
    return found


class _Slugger:
    """GitHub's slugs, numbered when they repeat on a page."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def slug(self, text: str) -> str:
        plain = "".join(map(_slug_character, text.lower()))
        result, count = plain, self._used.get(plain, 0)
        while result in self._used:
            count += 1
            result = f"{plain}-{count}"
        self._used[plain] = count
        self._used[result] = 0
        return result


@lru_cache(maxsize=4096)
def _slug_character(character: str) -> str:
    """The library walks 270 ranges per character (10 ms a heading); books use a few hundred different ones."""
    return str(github_slug(character, maintain_case=True))


def _without_id(content: str) -> tuple[str, str | None]:
    for pattern in (_COMMENT_ID, _CLASSIC_ID):
        if match := pattern.search(content):
            return content[: match.start()], next(group for group in match.groups() if group)
    return content, None


def _enter(path: list[tuple[int, str]], heading: Heading, title: str) -> None:
    """Make `path` (level, text) lead to this heading. The page's own h1 does not repeat the chapter's title."""
    while len(path) > 1 and path[-1][0] >= heading.level:
        path.pop()
    repeats = heading.level == 1 and heading.text.casefold() in title.casefold()
    if heading.text and not repeats:
        path.append((heading.level, heading.text))


def _filled(section: Section, blocks: list[TextBlock]) -> Section:
    return Section(section.title, section.anchor, section.heading_path, section.source, tuple(blocks))
