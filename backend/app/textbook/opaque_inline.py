"""Where the words of a paragraph hold things that are no prose: code, formulas, links, tags, expressions, signs.

Knows inline MDX, and one paragraph at a time: what is searched ahead is bounded by it, or remembered. Must not know
blocks; `opaque` finds those and calls here for the lines of prose between them.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from backend.app.textbook.javascript import Scanner
from backend.app.textbook.opaque_lines import PREFIX, QUOTES, line_end, without_quotes

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
WASTED = 20  # characters scanned in vain that count as one of the scanner's failures
_FAILURES = 100_000  # the scanner's budget; a real page needs none


@dataclass(frozen=True, slots=True)
class Span:
    """`letter` says what it is and how it stands (see `masking`); a block's span is all of its lines behind the
    prefix (indent, quote and list markers) of the first one."""

    start: int
    end: int
    letter: str


@dataclass(slots=True)
class InlineFinder:
    """Goes once through a text (LF line ends) and collects spans; what one line leaves, the next one finds."""

    source: str
    position: int = 0
    limit: int = 0  # where the paragraph that is being read ends
    brackets: list[int] = field(default_factory=list[int])  # where `[` or `![` of the paragraph are still open
    spans: list[Span] = field(default_factory=list[Span])
    runs: dict[int, list[int]] = field(default_factory=dict[int, list[int]])  # backticks: length -> places
    comment_end: int = 0  # the next one, or the text's end: none
    scanner: Scanner = field(init=False)

    def __post_init__(self) -> None:
        self.scanner = Scanner(without_quotes(self.source), _FAILURES)
        for run in _RUN.finditer(self.source):
            self.runs.setdefault(run.end() - run.start(), []).append(run.start())

    def _add(self, start: int, end: int, letter: str) -> None:
        self.spans.append(Span(start, end, letter))
        self.position = end

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
        self.scanner.failures -= (stop - self.position) // WASTED
        return self._add(self.position, self.position + 1, "X")

    def _escape(self) -> None:
        following = self.source[self.position + 1 : self.position + 2]
        if following == "\n" and self._goes_on(self.position + 1):
            return self._add(self.position, self._next_words(self.position + 1), "X")
        return self._add(self.position, self.position + (2 if following in _PUNCTUATION else 1), "X")
