"""What a model wrote -> Markdown that can only be read: no image, no link, no HTML. Pure.

Text in a question or on a page of the book can make a model write an image or a link; a page that renders the answer
would then load it, and tell a stranger what the reader asked. The instructions forbid both, which is no guarantee. A
space takes the effect from brackets and tags, and an address that no passage holds is left out. Code stays as it is,
but only where every Markdown dialect agrees that it is code.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from backend.app.textbook.parser import split_lines

LEFT_OUT = "…"
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(:])")  # tags, autolinks; targets of links and images, definitions
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>`]+|(?<!\w)www\.[^\s<>`]+", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?)]}'\"*_"
_BACKTICKS = re.compile(r"\\.|`+", re.DOTALL)


def _dialect(*, math: bool, indented_code: bool) -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"maxNesting": 20}).disable(["html_block", "reference", "inline"])
    if math:
        markdown.use(dollarmath_plugin)
    return markdown if indented_code else markdown.disable("code")


_DIALECTS = [_dialect(math=math, indented_code=code) for math in (False, True) for code in (True, False)]
_COMMONMARK = _DIALECTS[0]


def make_inert(text: str, sources: Iterable[str]) -> str:
    """`text` with the same words. `sources` are the texts whose addresses may stay."""
    if not (_ACTIVE.search(text) or _ADDRESS.search(text)):
        return text
    known = {_bare(address) for source in sources for address in _ADDRESS.findall(source)}
    lines = split_lines(text)
    fenced = [_fenced_lines(dialect, text) for dialect in _DIALECTS]
    shown: list[str] = []
    for start, end in _paragraphs(text, len(lines)):
        if all(code.issuperset(range(start, end)) for code in fenced):
            shown.extend(lines[start:end])
        else:
            shown.extend(_inert_prose("".join(lines[start:end]), known))
    return "".join(shown)


def _fenced_lines(dialect: MarkdownIt, text: str) -> set[int]:
    found = (token.map for token in dialect.parse(text) if token.type == "fence" and token.map)
    return {line for start, end in found for line in range(start, end)}


def _paragraphs(text: str, count: int) -> Iterator[tuple[int, int]]:
    """All lines in order, as half-open ranges: each paragraph or heading one, every other line one of its own."""
    position = 0
    for token in _COMMONMARK.parse(text):
        if token.type == "inline" and token.map and token.map[0] >= position:
            yield from ((line, line + 1) for line in range(position, token.map[0]))
            yield token.map[0], token.map[1]
            position = token.map[1]
    yield from ((line, line + 1) for line in range(position, count))


def _inert_prose(text: str, known: Collection[str]) -> Iterator[str]:
    """Code spans whole. Where table cells or formulas could end one early, there are none."""
    position = 0
    for start, end in () if re.search(r"[|$]", text) else _code_spans(text):
        yield _inert(text[position:start], known)
        yield text[start:end]
        position = end
    yield _inert(text[position:], known)


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    while opening := _BACKTICKS.search(text, position):
        position = opening.end()
        if opening.group().startswith("`"):
            closing = re.compile(rf"(?<!`){opening.group()}(?!`)").search(text, position)
            if closing:
                yield opening.start(), closing.end()
                position = closing.end()


def _inert(text: str, known: Collection[str]) -> str:
    def known_or_left_out(match: re.Match[str]) -> str:
        address = _bare(match.group())
        return match.group() if address in known else LEFT_OUT + match.group()[len(address) :]

    return _ACTIVE.sub(r"\g<0> ", _ADDRESS.sub(known_or_left_out, text))


def _bare(address: str) -> str:
    """Without the signs of the sentence around it."""
    return address.rstrip(_AFTER_ADDRESS)
