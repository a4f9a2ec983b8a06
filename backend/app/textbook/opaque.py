"""Where a page holds things that are no prose: code, formulas, link targets, tags, expressions, markers.

Knows MDX as Docusaurus reads it, by offsets into the text as it came (BOM, CRLF and all). Must not know what becomes
of the spans. Every `<`, `{`, `}`, `$`, backtick and backslash of the text lies in some span, so what stands between
the spans cannot be program. One forward scan; what is searched ahead is bounded by the paragraph or remembered.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from backend.app.textbook.javascript import module_end
from backend.app.textbook.opaque_inline import WASTED, InlineFinder, Span
from backend.app.textbook.opaque_lines import (
    DIRECTIVE,
    FOOTNOTE,
    FORMULA_END,
    FRONT_MATTER,
    HEADING,
    MODULE,
    PREFIX,
    QUOTES,
    REFERENCE,
    SETEXT,
    TASK,
    THEMATIC,
    fence_end,
    line_end,
    paragraph_end,
    title_range,
)

_SPACES = re.compile(r"[ \t]*")
_BROKEN_MODULES = 10  # import and export blocks with open brackets, each of which costs a scan of the whole page


def find_opaque(text: str) -> list[Span]:
    """All spans, in order, none in another. Linear in the length of the text."""
    return _Finder(_same_length(text)).run()


def _same_length(text: str) -> str:
    """The text with LF line ends and without BOM, every character where it was."""
    plain = text.replace("\r\n", " \n").replace("\r", "\n")
    return " " + plain[1:] if plain.startswith("\ufeff") else plain


@dataclass(slots=True)
class _Finder(InlineFinder):
    """The lines of a page: which are blocks without prose. Those of prose are the inline finder's."""

    in_paragraph: bool = False  # the line above is one of a paragraph
    after_break: bool = True  # a blank line or the start is above
    broken_modules: int = _BROKEN_MODULES
    formula_ends: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        InlineFinder.__post_init__(self)  # super() does not find its class in a dataclass with slots
        self.formula_ends = [match.end() for match in FORMULA_END.finditer(self.source)]

    def run(self) -> list[Span]:
        start = re.compile(r"\s*").match(self.source)
        front = FRONT_MATTER.match(self.source, start.end() if start else 0)
        if front:
            self._add(front.start(), front.end(), "W")
        while self.position < len(self.source):
            self._line()
        return self.spans

    # -- lines

    def _line(self) -> None:
        end = line_end(self.source, self.position)
        if not self.source[self.position : end].strip(" \t>"):
            self.position = min(end + 1, len(self.source))
            self.in_paragraph, self.after_break = False, True
            return
        block = self._block(end)
        self.after_break = block
        if block:
            self.in_paragraph = False
            self.position = line_end(self.source, self.position) + 1
        else:
            self._prose(end)
        self.position = min(self.position, len(self.source))

    def _block(self, end: int) -> bool:
        """Whether the line begins a block without prose, or is one: then its span is there."""
        quotes = QUOTES.match(self.source, self.position, end)
        after_quotes = quotes.end() if quotes else self.position
        if self._rule(after_quotes, end):
            return True
        prefix = PREFIX.match(self.source, self.position, end)
        content = prefix.end() if prefix else self.position
        return (
            self._fence(content)
            or self._formula(content, end)
            or self._directive(content, end)
            or self._module()
            or self._reference(content, end)
            or self._flow(content)
        )

    def _rule(self, content: int, end: int) -> bool:
        """A thematic break, or the line below a setext heading."""
        setext = SETEXT.match(self.source, content, end) if self.in_paragraph else None
        if setext:
            self._add(content, end, "U" if setext.group().startswith("=") else "V")
        elif THEMATIC.match(self.source, content, end):
            self._add(content, end, "R")
        else:
            return False
        return True

    def _fence(self, content: int) -> bool:
        stop = fence_end(self.source, self.position, content)
        if stop < 0:
            return False
        self._add(content, stop, "K")
        return True

    def _formula(self, content: int, end: int) -> bool:
        """A formula that has its lines for itself: `$$` opens it, a line that ends with `$$` closes it."""
        if not self.source.startswith("$$", content):
            return False
        first = self.source[content + 2 : end].rstrip()
        if "$" in first and first.find("$") < len(first) - 2:
            return False
        closing = bisect_left(self.formula_ends, content + 4 if first.endswith("$$") else end + 1)
        if (first.endswith("$") and not first.endswith("$$")) or closing == len(self.formula_ends):
            return False
        self._add(content, self.formula_ends[closing], "M")
        return True

    def _directive(self, content: int, end: int) -> bool:
        match = DIRECTIVE.match(self.source, content, end)
        if match is None:
            return False
        title, title_end = title_range(match) if match["name"] else (end, end)
        if title == title_end:
            self._add(content, end, "O" if match["name"] else "Z")
        else:
            self._titled(content, title, title_end, end)
        return True

    def _titled(self, content: int, title: int, title_end: int, end: int) -> None:
        """The title is prose: what stands before it is one span, what stands behind it another."""
        self._add(content, title, "A")
        self.limit, self.brackets = title_end, []
        self._inline(title_end)
        behind = max(title_end, self.position)  # a span may go over the title's bracket, as an escaped one does
        if self.source[behind:end].strip():
            self._add(behind, end, "X")
        self.position = max(behind, end)

    def _module(self) -> bool:
        if not self.after_break or self.broken_modules <= 0 or not MODULE.match(self.source, self.position):
            return False
        stop = module_end(self.source, self.position)
        while MODULE.match(self.source, stop):
            stop = module_end(self.source, stop)
        kept = self.source[self.position : stop].rstrip()
        self.broken_modules -= kept.count("{") != kept.count("}")
        self._add(self.position, line_end(self.source, self.position + max(len(kept) - 1, 0)), "P")
        return True

    def _reference(self, content: int, end: int) -> bool:
        if note := FOOTNOTE.match(self.source, content, end):
            self._add(content, note.end(), "D")
            return False
        if not REFERENCE.match(self.source, content, end):
            return False
        self._add(content, end, "G")
        return True

    def _flow(self, content: int) -> bool:
        """A line (or several) of nothing but tags, expressions and comments."""
        position, letters = content, ""
        while position < len(self.source) and self.source[position] in "<{":
            letter, stop = self._program(position)
            if not letter:
                return False
            letters += letter
            gap = _SPACES.match(self.source, stop)
            position = gap.end() if gap else stop
        if not letters or (position < len(self.source) and self.source[position] != "\n"):
            self.scanner.failures -= (position - content) // WASTED
            return False
        self._add(content, position, "B" if set(letters) == {"E"} else "J")
        return True

    def _prose(self, end: int) -> None:
        heading = HEADING.match(self.source, self.position, end) is not None
        if self.position >= self.limit:
            self.limit = end if heading else paragraph_end(self.source, self.position)
            self.brackets = []
        if task := TASK.match(self.source, self.position, end):
            self._add(*task.span(1), "X")
        self._inline(end)
        self.position = line_end(self.source, self.position) + 1
        self.in_paragraph = not heading
