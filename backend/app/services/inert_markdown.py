"""What a model wrote -> Markdown that can only be read: no image, no link, no HTML. Pure.

Text in a question or on a page of the book can make a model write an image or a link; a page that renders the answer
would then load it, and tell a stranger what the reader asked. The instructions forbid both, which is no guarantee. A
space takes the effect from brackets and tags, and an address that no passage holds is left out. Code stays as it is,
but only where every Markdown dialect agrees that it is code. One unit at a time, so that an answer can be shown while
it is written: what was shown is never taken back.
"""

import re
from collections.abc import Iterable

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from backend.app.services.markdown_units import code_spans, without_code
from backend.app.textbook.parser import split_lines

LEFT_OUT = "…"
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(:])")  # tags, autolinks; targets of links and images, definitions
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>`]+|(?<!\w)www\.[^\s<>`]+", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?)]}'\"*_"
_NO_CODE_SPANS = re.compile(r"[|$\r]")  # table cells, formulas or a hidden line end could close one early
_BLANK_LINES = re.compile(r"\A[ \t\n]*\n")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_OVERRIDES = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e"))  # make words read as others than they are
_PARSED_CHARS = 60_000  # of all dialects' parsing for one answer; beyond it code blocks are treated as prose


def _dialect(*, math: bool, indented_code: bool, tables: bool) -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"maxNesting": 20}).disable(["html_block", "reference", "inline"])
    if math:
        markdown.use(dollarmath_plugin)
    if tables:
        markdown.enable("table")  # in markdown-it, "```a|b" above "-|-" is the head of one
    return markdown if indented_code else markdown.disable("code")


_EITHER = (True, False)
_DIALECTS = [
    _dialect(math=math, indented_code=code, tables=tables)
    for math in _EITHER
    for code in _EITHER
    for tables in _EITHER
]


class InertWriter:
    """Takes the units of one answer in order. `sources` are the texts whose addresses may stay."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._known = {_bare(address) for source in sources for address in _ADDRESS.findall(source)}
        self._shown = ""
        self._parsed_chars = 0
        self._line_is_blank = self._line_closes_code = self._paragraph_closes_code = True

    def add(self, text: str, *, is_block: bool = False) -> str:
        """The unit as it may be shown. Blank lines may stand before it. Urdu needs no embedding or override of its
        direction; the isolates and marks that it may need stay."""
        text = text.translate(_OVERRIDES)
        visible = _BLANK_LINES.sub("", text)
        space = text[: len(text) - len(visible)]
        self._note(space)
        shown = self._block(self._shown + space, visible) if is_block else self._sentence(visible)
        if not space and _ACTIVE.match(self._shown[-1:] + shown):
            shown = f" {shown}"
        self._note(shown)
        self._shown += space + shown
        return space + shown

    def _sentence(self, text: str) -> str:
        if not (self._paragraph_closes_code and self._line_closes_code) or _NO_CODE_SPANS.search(text):
            return self._inert(text)
        shown, position = "", 0
        for start, end in code_spans(text):
            shown += self._inert(text[position:start]) + text[start:end]
            position = end
        return shown + self._inert(text[position:])

    def _block(self, before: str, text: str) -> str:
        is_harmless = not (_ACTIVE.search(text) or _ADDRESS.search(text))
        return text if is_harmless or self._is_code_everywhere(before, text) else self._inert(text)

    def _is_code_everywhere(self, before: str, text: str) -> bool:
        """Whether, after what was shown before, each line is of a fenced code block in every dialect."""
        first = len(split_lines(before))
        lines = range(first, first + len(split_lines(text)))
        self._parsed_chars += len(before) + len(text)
        if self._parsed_chars > _PARSED_CHARS or (before and not before.endswith("\n")):
            return False
        return all(_fenced_lines(dialect, before + text).issuperset(lines) for dialect in _DIALECTS)

    def _note(self, shown: str) -> None:
        """Remember whether a backtick stands open. A code span ends with its paragraph at the latest, and where
        paragraphs end the dialects do not agree, but for blank lines: so every line must close its own."""
        for line in _LINES.findall(shown):
            if line.strip(" \t\n"):
                self._line_is_blank = False
                self._line_closes_code &= not _NO_CODE_SPANS.search(line) and without_code(line) is not None
            if line.endswith("\n"):
                closes = self._line_is_blank or (self._paragraph_closes_code and self._line_closes_code)
                self._line_is_blank, self._line_closes_code, self._paragraph_closes_code = True, True, closes

    def _inert(self, text: str) -> str:
        def known_or_left_out(match: re.Match[str]) -> str:
            address = _bare(match.group())
            return match.group() if address in self._known else LEFT_OUT + match.group()[len(address) :]

        return _ACTIVE.sub(r"\g<0> ", _ADDRESS.sub(known_or_left_out, text))


def _fenced_lines(dialect: MarkdownIt, text: str) -> set[int]:
    found = (token.map for token in dialect.parse(text) if token.type == "fence" and token.map)
    return {line for start, end in found for line in range(start, end)}


def _bare(address: str) -> str:
    """Without the signs of the sentence around it."""
    return address.rstrip(_AFTER_ADDRESS)
