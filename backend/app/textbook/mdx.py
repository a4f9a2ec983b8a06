"""MDX source -> the plain Markdown in it.

Takes away what is program and not prose: imports, exports, JSX tags with their props, comments, flow expressions,
style and script, and everything that gives away a quiz (see `quiz`). Keeps the children of
components, the visible labels (TabItem label, Admonition title, summary) and all Markdown as the author wrote it.
Must not know sections or chunks.
"""

import re
from dataclasses import dataclass, field

from backend.app.textbook.javascript import Scanner, Tag, module_end
from backend.app.textbook.quiz import is_answer_heading, is_quiz_heading, is_quiz_name, promises_answer

_SUMMARY = re.compile(r"\s*<summary[^>]{0,300}>(.{0,2000}?)</summary>", re.DOTALL)

_CODE_ELEMENTS = frozenset({"style", "script", "svg"})
_BLOCK_ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        "article aside blockquote br dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li"
        " main nav ol p section summary table tbody td tfoot th thead tr ul",
    )
)
_LABELS = ("label", "title", "summary", "heading", "caption")

_PREFIX = r"[ \t]*(?:(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))[ \t]*)*"
_FENCE = re.compile(rf"(?P<prefix>{_PREFIX})(?P<marker>`{{3,}}|~{{3,}})(?P<info>[^\n]*)")
_MATH = re.compile(rf"{_PREFIX}\$\$")
_DIRECTIVE = re.compile(
    r"(?P<prefix>[ \t]*(?:>[ \t]*)*)(?P<colons>:{3,})[ \t]*(?P<name>[A-Za-z][\w-]*)?(?P<rest>[^\n]*)"
)
_MODULE = re.compile(
    r"import\s*['\"][^'\"\n]+['\"]|import\s[^'\"`;]{1,2000}?\sfrom\s*['\"]|export\s+(?:const|let|var)\s+[\w$\[{]"
    r"|export\s+(?:default|async|function|class)\b|export\s*(?:\*|\{)"
)
_DATA_EXPORT = re.compile(r"export\s+(?:const|let|var)\s+[^=\n]{1,200}=")
_HEADING = re.compile(rf"{_PREFIX}(#{{1,6}})(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$", re.MULTILINE)
_NEXT_HEADING = re.compile(r"^#{1,6}[ \t]", re.MULTILINE)
_SPECIAL = re.compile(r"[\\`<{$\n]")
_INLINE_MATH = re.compile(r"\$(?![\s$])[^$\n]{1,500}(?<![\s\\])\$(?!\d)")
_HEADING_ID = re.compile(r"(?:\{\s*/\*\s*#[^\s}]+\s*\*/\s*\}|<!--\s*#[^\s>]+\s*-->)[ \t]*(?=\n|\Z)")
_STRING = re.compile(r"""\{\s*(?:'([^'\\]*)'|"([^"\\]*)"|`([^`\\$]*)`)\s*\}""")
_COMMENT = re.compile(r"\{\s*/\*.*\*/\s*\}", re.DOTALL)
_JSX_HEADING_REST = re.compile(r"(?!\s*</)[^\n]*</h[1-6]>[ \t]*(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class CleanPage:
    """Markdown without program text. Line numbers count from 0: `tabs` are the half-open ranges of lines inside
    the outermost `<Tabs>`; `jsx_headings` maps the line of a heading written as `<h2 id="x">` to its id ("")."""

    text: str
    tabs: tuple[tuple[int, int], ...]
    jsx_headings: dict[int, str]


def clean(source: str) -> CleanPage:
    """The Markdown of an MDX (or Markdown) page without front matter. Linear in the length of the page."""
    cleaner = _Cleaner(source.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff"))
    return cleaner.run()


@dataclass(slots=True)
class _Cleaner:
    source: str
    position: int = 0
    line: int = 0  # number of the line that is being written
    after_break: bool = True  # a blank line, the start or a module block is above
    heading: str = ""  # text of the latest heading
    in_heading: bool = False
    muted: int = 0  # level of the "Answers" heading whose body is being dropped
    output: list[str] = field(default_factory=list[str])
    fresh: bool = True  # the line that is being written holds only spaces and quote marks
    last: str = "\n"  # the last character written
    open_tabs: list[int] = field(default_factory=list[int])
    tabs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    jsx_headings: dict[int, str] = field(default_factory=dict[int, str])
    unclosed: set[str] = field(default_factory=set[str])
    no_span: dict[int, int] = field(default_factory=dict[int, int])
    scanner: Scanner = field(init=False)
    last_comment: int = field(init=False)  # where the last comment ends: no search goes on behind it
    last_formula: int = field(init=False)

    def __post_init__(self) -> None:
        self.scanner = Scanner(self.source)
        self.last_comment = self.source.rfind("-->")
        self.last_formula = self.source.rfind("$$")

    def run(self) -> CleanPage:
        while self.position < len(self.source):
            if not (self._fence() or self._math() or self._directive() or self._module()):
                self._prose_line()
        self.tabs.extend((start, self.line + 1) for start in self.open_tabs[:1])
        return CleanPage("".join(self.output), tuple(sorted(self.tabs)), self.jsx_headings)

    # -- writing

    def _emit(self, text: str) -> None:
        if self.muted and not self.in_heading:
            text = "\n" * text.count("\n")
        if not text:
            return
        self.output.append(text)
        self.line += text.count("\n")
        self.fresh = not text[text.rfind("\n") + 1 :].strip(" \t>") and (self.fresh or "\n" in text)
        self.last = text[-1]

    def _skip_to(self, position: int) -> None:
        """Leave out the source up to `position`: what stood there separates like a blank line."""
        self.position = position
        self._emit("\n" if self.fresh else "\n\n")
        self.after_break = True

    # -- whole lines

    def _line_end(self, position: int) -> int:
        end = self.source.find("\n", position)
        return len(self.source) if end < 0 else end + 1

    def _fence(self) -> bool:
        match = _FENCE.match(self.source, self.position)
        if match is None or (match["marker"][0] == "`" and "`" in match["info"]):
            return False
        end = self._fence_end(match)
        self._take(end)
        self.after_break = True
        return True

    def _fence_end(self, opening: re.Match[str]) -> int:
        """Index after the closing line; an unclosed fence goes on to the end of its quote or of the page."""
        quoted = ">" in opening["prefix"]
        marker = opening["marker"]
        spaces = r"[ \t>]*" if quoted else r"[ \t]*"
        close = re.compile(rf"^{spaces}{marker[0]}{{{len(marker)},}}[ \t]*$", re.MULTILINE)
        start = self._line_end(opening.end())
        found = close.search(self.source, start)
        end = self._line_end(found.end()) if found else len(self.source)
        if quoted:
            outside = re.compile(r"^(?![ \t]*>)", re.MULTILINE).search(self.source, start)
            end = min(end, outside.start()) if outside else end
        return end

    def _math(self) -> bool:
        match = _MATH.match(self.source, self.position)
        if match is None or match.end() > self.last_formula:
            return False
        close = self.source.find("$$", match.end())
        end = self._line_end(close)
        self._emit(self.source[self.position : end])
        self.position = end
        return True

    def _directive(self) -> bool:
        match = _DIRECTIVE.match(self.source, self.position)
        if match is None or (not match["name"] and match["rest"].strip()):
            return False
        end = self._line_end(match.end())
        prefix, name = match["prefix"], match["name"] or ""
        if is_quiz_name(name):
            close = re.compile(rf"^[ \t>]*:{{{len(match['colons'])},}}[ \t]*$", re.MULTILINE)
            found = close.search(self.source, end) or _NEXT_HEADING.search(self.source, end)
            stop = len(self.source) if found is None else found.start()
            self._skip_to(self._line_end(stop) if found and found.group().strip().startswith((":", ">")) else stop)
            return True
        title = _directive_title(match["rest"])
        self._emit(f"{prefix}{title}\n" if title else "")
        self._emit(prefix.rstrip() + "\n")
        self.position = end
        self.after_break = True
        return True

    def _module(self) -> bool:
        if not self.source.startswith(("import", "export"), self.position):
            return False
        statement = _MODULE.match(self.source, self.position)
        if statement is None or not (self.after_break or _DATA_EXPORT.match(self.source, self.position)):
            return False
        self._skip_to(module_end(self.source, self.position))
        return True

    # -- a line of prose and what is written in it

    def _prose_line(self) -> None:
        self._enter_line()
        while self.position < len(self.source):
            special = _SPECIAL.search(self.source, self.position)
            stop = special.start() if special else len(self.source)
            self._emit(self.source[self.position : stop])
            self.position = stop
            if special is None:
                break
            if special.group() == "\n":
                self.after_break = self.fresh
                self._emit("\n")
                self.position += 1
                break
            self._special(special.group())
        self.in_heading = False

    def _enter_line(self) -> None:
        match = _HEADING.match(self.source, self.position)
        self.in_heading = match is not None
        if match is None:
            return
        self.heading = (match[2] or "").strip()
        level = len(match[1])
        if self.muted and level <= self.muted:
            self.muted = 0
        if not self.muted and is_answer_heading(re.sub(r"[^\w\s]+", "", self.heading).strip()):
            self.muted = level

    def _special(self, character: str) -> None:
        if character == "<":
            self._angle()
        elif character == "{":
            self._brace()
        elif character == "`":
            self._take(self._code_span_end())
        elif character == "$":
            match = _INLINE_MATH.match(self.source, self.position)
            self._take(match.end() if match else self.position + 1)
        else:
            escaped = self.source[self.position + 1 : self.position + 2]
            self._take(self.position + (2 if escaped not in ("", "\n") else 1))

    def _take(self, end: int) -> None:
        self._emit(self.source[self.position : end])
        self.position = end

    def _code_span_end(self) -> int:
        """Index after the code span at the position, or after the backticks when nothing closes them."""
        run = re.compile(r"`+").match(self.source, self.position)
        end = run.end() if run else self.position + 1
        length = end - self.position
        if self.no_span.get(length, -1) >= end:
            return end
        blank = re.compile(r"\n[ \t]*\n").search(self.source, end)
        stop = blank.start() if blank else len(self.source)
        for closing in re.compile(r"`+").finditer(self.source, end, stop):
            if closing.end() - closing.start() == length:
                return closing.end()
        self.no_span[length] = stop
        return end

    def _angle(self) -> None:
        if self.source.startswith("<!--", self.position):
            keeps_id = self.in_heading and _HEADING_ID.match(self.source, self.position)
            close = self.source.find("-->", self.position) if self.position < self.last_comment else -1
            if close >= 0 and not keeps_id:
                self.position = close + 3
                return
        tag = self.scanner.tag_at(self.position)
        if tag is None:
            self._take(self.position + 1)
        else:
            self._tag(tag)

    def _brace(self) -> None:
        if self.in_heading and (match := _HEADING_ID.match(self.source, self.position)):
            return self._take(match.end())
        end = self.scanner.brace_end(self.position)
        if end < 0:
            return self._take(self.position + 1)
        code = self.source[self.position : end]
        if _COMMENT.fullmatch(code):
            self.position = end
        elif self.in_heading and "\n" not in code:
            self._take(end)
        elif string := _STRING.fullmatch(code):
            self.position = end
            self._emit_text(next(text for text in string.groups() if text is not None) or " ")
        elif self.fresh and not self.source[end : self._line_end(end)].strip():
            self._skip_to(end)
        elif "\n\n" in code:
            self._take(self.position + 1)
        elif "\n" in code or re.search(r"=>|<[A-Za-z/>]", code):
            self.position = end
        else:
            self._take(end)
        return None

    def _emit_text(self, text: str) -> None:
        """Text that the page shows literally: it must not turn into a heading by standing at a line's start."""
        hash_first = self.fresh and text.lstrip().startswith("#")
        self._emit("\\" + text.lstrip() if hash_first else text)

    # -- tags

    def _tag(self, tag: Tag) -> None:
        opens = not tag.closing
        if opens and (self._is_quiz(tag) or tag.name in _CODE_ELEMENTS):
            return self._skip_to(self._element_end(tag))
        if tag.name == "Tabs" and not tag.alone:
            self._mark_tabs(tag)
        level = re.fullmatch(r"h([1-6])", tag.name)
        if level and opens and self.fresh and _JSX_HEADING_REST.match(self.source, tag.end):
            self.jsx_headings[self.line] = tag.attributes.get("id", "")
            self._emit("#" * int(level[1]) + " ")
        elif opens and (label := _visible_label(tag)) and self.fresh:
            self._emit(label + "\n\n")
        elif tag.name in _BLOCK_ELEMENTS and not self.in_heading:
            self._separate(tag.end)
        rest = self.source[tag.end : tag.end + 80].lstrip(" \t")
        self.position = tag.end
        if self.fresh and rest.startswith("#"):
            self._emit("\\")
            self.position = self.source.index("#", tag.end)
        return None

    def _separate(self, following: int) -> None:
        if not self.last.isspace() and not self.source[following : following + 1].isspace():
            self._emit(" ")

    def _mark_tabs(self, tag: Tag) -> None:
        if not tag.closing:
            self.open_tabs.append(self.line)
        elif self.open_tabs:
            start = self.open_tabs.pop()
            if not self.open_tabs:
                self.tabs.append((start, self.line + 1))

    def _is_quiz(self, tag: Tag) -> bool:
        classes = tag.attributes.get("className", "") or tag.attributes.get("class", "")
        if tag.name[:1].isupper() or "-" in tag.name:
            return is_quiz_name(tag.name)
        if tag.name == "details":
            summary = _SUMMARY.match(self.source, tag.end)
            promised = summary is not None and promises_answer(summary[1])
            return promised or is_quiz_heading(self.heading)
        return any(is_quiz_name(word) for word in classes.split())

    def _element_end(self, tag: Tag) -> int:
        """Index after the closing tag. Without one, all up to the next heading belongs to it: better a paragraph
        too little than an answer too much."""
        if tag.alone:
            return tag.end
        last = -1
        if tag.name not in self.unclosed:
            depth = 1
            same = re.compile(rf"<(/?){re.escape(tag.name)}(?=[\s/>])")
            for match in same.finditer(self.source, tag.end):
                other = self.scanner.tag_at(match.start())
                if other is None or other.alone:
                    continue
                depth += -1 if other.closing else 1
                last = other.end if other.closing else last
                if depth == 0:
                    break
        if last >= 0:
            return last
        self.unclosed.add(tag.name)
        heading = _NEXT_HEADING.search(self.source, tag.end)
        return heading.start() if heading else len(self.source)


def _directive_title(rest: str) -> str:
    """The title of `:::note Title`, `:::note[Title]` and `:::note[Title]{.class}`."""
    rest = rest.strip()
    if rest.startswith("[") and "]" in rest:
        return rest[1 : rest.rindex("]")].strip()
    return "" if rest.startswith("{") else rest


def _visible_label(tag: Tag) -> str:
    if not tag.name[:1].isupper():
        return ""
    return next((tag.attributes[name] for name in _LABELS if tag.attributes.get(name)), "")
