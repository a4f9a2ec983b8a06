"""Where a page holds things that are no prose: code, formulas, link targets, tags, expressions, markers.

Knows MDX as Docusaurus reads it, by offsets into the text as it came (BOM, CRLF and all). Must not know what becomes
of the spans. Every `<`, `{`, `}`, `$`, backtick and backslash of the text lies in some span, so what stands between
the spans cannot be program. One forward scan; what is searched ahead is bounded by the paragraph or remembered.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from backend.app.textbook.javascript import Scanner, module_end
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
    without_quotes,
)

_SPECIAL = re.compile(
    r"[\\`<{}$\n!\[\]&⟦⟧]|\b[A-Za-z][A-Za-z0-9+.-]{1,20}://|\bwww\.(?=\w)"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_URL = re.compile(r"[^\s<>\[\]{}|`\\⟦⟧]+")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_AUTOLINK = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[\w.+-]+@[\w.-]+)>")
_HEADING_ID = re.compile(
    r"[ \t]*(?:\{#[^{}\s]+\}|\{\s*/\*\s*#[^\s}]+\s*\*/\s*\}|<!--\s*#[^\s>]+\s*-->)(?=[ \t#]*(?:\n|\Z))"
)
_FORMULA = re.compile(r"\$(?![\s$])(?:[^$\\]|\\.){1,2000}?(?<!\s)\$(?!\d)", re.DOTALL)
_SPACES = re.compile(r"[ \t]*")
_RUN = re.compile(r"`+")
_NOTE = re.compile(r"\[\^[^\]\s]{1,100}\]")
_LABEL = re.compile(r"\[(?!\^)((?:[^\[\]\\\n]|\\.){1,999})\]")
_INNER = r"[^\s()<⟦⟧]"
_TARGET = re.compile(
    rf"\([ \t]*\n?[ \t]*(?:<[^<>\n]{{0,2000}}>|{_INNER}{{0,2000}}"
    rf"(?:\((?:{_INNER}{{0,200}}\({_INNER}{{0,200}}\)|{_INNER}){{0,200}}\){_INNER}{{0,200}}){{0,9}})"
    r"(?:[ \t]*\n?[ \t]+(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|\([^()\n]{0,500}\)))?[ \t]*\n?[ \t]*\)"
)
_MAY_BEGIN_BLOCK = re.compile(r"[<{=\s]|[-*_](?:[-*_ \t]|$)|:::|import\b|export\b|\[[^\]\n]{1,999}\]:", re.MULTILINE)
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_TRAILING = "?!.,:*_~'\";"
_WASTED = 20  # characters scanned in vain that count as one of the scanner's failures
_FAILURES = 100_000  # the scanner's budget; a real page needs none
_BROKEN_MODULES = 10  # import and export blocks with open brackets, each of which costs a scan of the whole page


@dataclass(frozen=True, slots=True)
class Span:
    """`letter` says what it is and how it stands (see `masking`); a block's span is all of its lines behind the
    prefix (indent, quote and list markers) of the first one."""

    start: int
    end: int
    letter: str


def find_opaque(text: str) -> list[Span]:
    """All spans, in order, none in another. Linear in the length of the text."""
    return _Finder(_same_length(text)).run()


def _same_length(text: str) -> str:
    """The text with LF line ends and without BOM, every character where it was."""
    plain = text.replace("\r\n", " \n").replace("\r", "\n")
    return " " + plain[1:] if plain.startswith("\ufeff") else plain


@dataclass(slots=True)
class _Finder:
    source: str
    position: int = 0
    in_paragraph: bool = False  # the line above is one of a paragraph
    after_break: bool = True  # a blank line or the start is above
    limit: int = 0  # where the paragraph that is being read ends
    brackets: list[int] = field(default_factory=list[int])  # where `[` or `![` of the paragraph are still open
    spans: list[Span] = field(default_factory=list[Span])
    runs: dict[int, list[int]] = field(default_factory=dict[int, list[int]])  # backticks: length -> places
    broken_modules: int = _BROKEN_MODULES
    comment_end: int = 0  # the next one, or the text's end: none
    formula_ends: list[int] = field(default_factory=list[int])
    scanner: Scanner = field(init=False)

    def __post_init__(self) -> None:
        self.scanner = Scanner(without_quotes(self.source), _FAILURES)
        self.formula_ends = [match.end() for match in FORMULA_END.finditer(self.source)]
        for run in _RUN.finditer(self.source):
            self.runs.setdefault(run.end() - run.start(), []).append(run.start())

    def run(self) -> list[Span]:
        start = re.compile(r"\s*").match(self.source)
        front = FRONT_MATTER.match(self.source, start.end() if start else 0)
        if front:
            self._add(front.start(), front.end(), "W")
        while self.position < len(self.source):
            self._line()
        return self.spans

    def _add(self, start: int, end: int, letter: str) -> None:
        self.spans.append(Span(start, end, letter))
        self.position = end

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
        if self.source[title_end:end].strip():
            self._add(title_end, end, "X")
        self.position = end

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
            self.scanner.failures -= (position - content) // _WASTED
            return False
        self._add(content, position, "B" if set(letters) == {"E"} else "J")
        return True

    def _program(self, position: int) -> tuple[str, int]:
        """Letter and end of the tag, expression or comment at a place; "" when it is none."""
        if self.source[position] == "{":
            stop = self.scanner.brace_end(position)
            return ("E", stop) if stop > 0 else ("", position)
        if self.source.startswith("<!--", position):
            if self.comment_end < position + 4:
                close = self.source.find("-->", position + 4)
                self.comment_end = close if close > 0 else len(self.source)
            return ("E", self.comment_end + 3) if self.comment_end < len(self.source) else ("", position)
        tag = self.scanner.tag_at(position)
        if tag is None:
            return "", position
        return ("Y" if tag.closing else "S" if tag.alone else "T"), tag.end

    # -- prose

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

    def _inline(self, end: int) -> None:
        """Spans from the position to the end of the line, or further when one goes over it."""
        while self.position < end:
            special = _SPECIAL.search(self.source, self.position, end)
            if special:
                self.position = special.start()
                self._special(special)
            else:
                self._rest_of_line(end)
            if self.position > end:
                end = line_end(self.source, self.position)

    def _rest_of_line(self, end: int) -> None:
        """Words; two blanks at their end break the line on the page, so they are a span with the line's end."""
        start = self.position + len(self.source[self.position : end].rstrip(" "))
        self.position = end
        if end - start >= 2 and self._goes_on(end):
            prefix = PREFIX.match(self.source, self.source.rfind("\n", 0, end) + 1)
            if prefix and prefix.end() < end:
                self._add(start, self._next_words(end), "X")

    def _goes_on(self, end: int) -> bool:
        """Whether the next line is words of the same paragraph, whatever Markdown it may be read as."""
        following = self._next_words(end)
        return following < self.limit and not _MAY_BEGIN_BLOCK.match(self.source, following)

    def _next_words(self, end: int) -> int:
        prefix = QUOTES.match(self.source, end + 1)
        return prefix.end() if prefix else end + 1

    def _special(self, match: re.Match[str]) -> None:
        sign = match.group()
        if len(sign) > 1:
            self._bare_link(match)
        elif sign in "[]!":
            self._bracket(sign)
        elif sign == "`":
            self._code()
        elif sign == "$":
            self._dollar()
        elif sign in "<{":
            self._opening(sign)
        elif sign == "\\":
            self._escape()
        elif sign == "&":
            entity = _ENTITY.match(self.source, self.position)
            if entity:
                self._add(self.position, entity.end(), "X")
            else:
                self.position += 1
        else:
            self._add(self.position, self.position + 1, "X")

    def _bare_link(self, match: re.Match[str]) -> None:
        if "@" in match.group() and "://" not in match.group():
            return self._add(self.position, match.end(), "L")
        rest = _URL.match(self.source, self.position, self.limit)
        url = rest.group() if rest else match.group()
        kept = url.rstrip(_TRAILING)
        unopened = kept.count(")") - kept.count("(")
        while unopened > 0 and kept.endswith(")"):
            kept, unopened = kept[:-1], unopened - 1
        return self._add(self.position, self.position + max(len(kept.rstrip(_TRAILING)), len(match.group())), "L")

    def _bracket(self, sign: str) -> None:
        start = self.position
        if sign == "]":
            return self._closing()
        if sign == "!":
            self.position += 1
            if self.source.startswith("[", start + 1):
                self.brackets.append(start)
                self.position += 1
            return None
        if note := _NOTE.match(self.source, start, self.limit):
            return self._add(start, note.end(), "N")
        self.brackets.append(start)
        self.position += 1
        return None

    def _closing(self) -> None:
        """What follows a `]`: a target or a label; behind an image's text all of it is one span."""
        close = self.position
        self.position += 1
        if not self.brackets:
            return
        opener = self.brackets.pop()
        target = _TARGET.match(self.source, close + 1, self.limit)
        label = None if target else _LABEL.match(self.source, close + 1, self.limit)
        found = target or label
        if self.source[opener] == "!":
            while self.spans and self.spans[-1].start >= opener:
                self.spans.pop()
            self._add(opener, found.end() if found else close + 1, "I")
        elif found and found.end() - found.start() > 2:
            self._add(found.start() + 1, found.end() - 1, "L")
            self.position += 1

    def _code(self) -> None:
        run = _RUN.match(self.source, self.position)
        end = run.end() if run else self.position + 1
        places = self.runs.get(end - self.position, [])
        following = bisect_left(places, end)
        if following < len(places) and places[following] < self.limit:
            return self._add(self.position, places[following] + end - self.position, "C")
        return self._add(self.position, end, "X")

    def _dollar(self) -> None:
        formula = _FORMULA.match(self.source, self.position, self.limit)
        if formula:
            return self._add(self.position, formula.end(), "F")
        if self.source.startswith("$$", self.position):
            close = self.source.find("$$", self.position + 2, self.limit)
            return self._add(self.position, close + 2 if close > 0 else self.position + 2, "F" if close > 0 else "X")
        return self._add(self.position, self.position + 1, "X")

    def _opening(self, sign: str) -> None:
        if heading_id := _HEADING_ID.match(self.source, self.position):
            return self._add(self.position, heading_id.end(), "H")
        if sign == "<" and (link := _AUTOLINK.match(self.source, self.position, self.limit)):
            return self._add(self.position, link.end(), "L")
        letter, stop = self._program(self.position)
        if letter and stop <= self.limit:
            return self._add(self.position, stop, letter)
        self.scanner.failures -= (stop - self.position) // _WASTED
        return self._add(self.position, self.position + 1, "X")

    def _escape(self) -> None:
        following = self.source[self.position + 1 : self.position + 2]
        if following == "\n" and self._goes_on(self.position + 1):
            return self._add(self.position, self._next_words(self.position + 1), "X")
        return self._add(self.position, self.position + (2 if following in _PUNCTUATION else 1), "X")
