"""Where a piece of JavaScript or a JSX tag ends, without running or fully parsing it.

Knows strings, templates, comments and brackets. Must not know what a tag means: `mdx.py` decides that.
Everything is one forward scan over the text; scans that find no end are paid from a budget, so that a megabyte
of unclosed braces costs a second and not an hour.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_CODE = re.compile(
    r"""[{}()\[\]`\n]|/\*|(?<![:\w])//[^\n]*|(?<!\w)'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*\"""", re.DOTALL
)
_TEMPLATE = re.compile(r"\\.|\$\{|`", re.DOTALL)
_TAG_START = re.compile(r"<(/?)([A-Za-z][\w.:-]*)?")
_ATTRIBUTE = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_$][\w.:$-]*)"""
    r"""(?:\s*=\s*(?:"(?P<double>[^"]{0,20000})"|'(?P<single>[^']{0,20000})'|(?P<brace>\{)|(?P<bare>[^\s"'=<>`{}]+)))?"""
    r"""|(?P<spread>\{))"""
)
_TAG_END = re.compile(r"\s*(/?)>")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)

_LONGEST_SCAN = 200_000  # characters of one expression; data tables of real quiz pages stay under 60,000
_FAILURE_BUDGET = 400_000  # brackets seen by scans in vain per page: about half a second


@dataclass(frozen=True, slots=True)
class Tag:
    """A JSX or HTML tag. `attributes` holds the values written as plain strings; `end` is the index after `>`."""

    name: str
    closing: bool
    alone: bool
    attributes: dict[str, str]
    end: int


def code_symbols(text: str, start: int, stop: int) -> Iterator[tuple[str, int]]:
    """Brackets and line ends of code outside of strings, templates and comments, each with the index after it."""
    depth, position, in_template = 0, start, False
    resume: list[int] = []  # depths at which `}` returns to the template around it
    while match := (_TEMPLATE if in_template else _CODE).search(text, position, stop):
        symbol, position = match.group(), match.end()
        if in_template:
            in_template = symbol not in ("`", "${")
            if symbol == "${":
                resume.append(depth)
                depth += 1
        elif symbol == "`":
            in_template = True
        elif symbol == "/*":
            close = text.find("*/", position, stop)
            position = close + 2 if close >= 0 else stop
        elif symbol in "{}()[]\n":
            depth += {"{": 1, "}": -1}.get(symbol, 0)
            if symbol == "}" and resume and resume[-1] == depth:
                resume.pop()
                in_template = True
            else:
                yield symbol, position


@dataclass(slots=True)
class Scanner:
    """Finds ends in one page. `failures` is what is left of the budget for scans in vain."""

    text: str
    failures: int = field(default=_FAILURE_BUDGET)

    def brace_end(self, start: int) -> int:
        """Index after the `}` that closes the `{` at `start`, or -1."""
        if self.failures <= 0:
            return -1
        depth = seen = 0
        stop = min(len(self.text), start + _LONGEST_SCAN)
        for symbol, end in code_symbols(self.text, start, stop):
            seen += 1
            if symbol in "{}":
                depth += 1 if symbol == "{" else -1
            if depth == 0:
                return end
        self.failures -= seen + (stop - start) // 50
        return -1

    def tag_at(self, start: int) -> Tag | None:
        """The tag that begins with the `<` at `start`; None when it is only a less-than sign."""
        head = _TAG_START.match(self.text, start)
        if head is None:
            return None
        attributes: dict[str, str] = {}
        position = head.end()
        while (end := _TAG_END.match(self.text, position)) is None:
            if head.group(2) is None or not self.text[position : position + 1].isspace():
                return None
            attribute = _ATTRIBUTE.match(self.text, position)
            if attribute is None:
                return None
            position = attribute.end()
            if attribute.group("brace") or attribute.group("spread"):
                position = self.brace_end(position - 1)
                if position < 0:
                    return None
            elif name := attribute.group("name"):
                values = (attribute.group(kind) for kind in ("double", "single", "bare"))
                attributes[name] = next((value for value in values if value is not None), "")
        name = head.group(2) or ""
        alone = bool(end.group(1)) or name in _VOID
        return Tag(name, bool(head.group(1)), alone, attributes, end.end())


def module_end(text: str, start: int) -> int:
    """Index after the `import`/`export` block at `start`: a line end with all brackets closed, where the
    statement is complete or a blank line follows. Without such a place (broken code): the first line
    that closes a bracket in column 0, else the first blank line."""
    depth = 0
    for symbol, end in code_symbols(text, start, min(len(text), start + _LONGEST_SCAN)):
        if symbol != "\n":
            depth += 1 if symbol in "{([" else -1
        elif depth <= 0 and _statement_ends(text, end):
            return end
    if depth <= 0 and len(text) - start <= _LONGEST_SCAN:
        return len(text)
    broken = re.compile(r"^[\])}]+;?[ \t]*$|^[ \t]*$", re.MULTILINE).search(text, start)
    return broken.end() if broken else len(text)


def _statement_ends(text: str, line_end: int) -> bool:
    following = text[line_end : line_end + 1]
    if following in ("", "\n") or text[line_end : line_end + 7] in ("import ", "export "):
        return True
    last = text[text.rfind("\n", 0, line_end - 1) + 1 : line_end].rstrip()
    complete = last.endswith((";", "}", "]")) or re.fullmatch(r"import\b.*['\"]", last) is not None
    return complete and not following.isspace() and following not in ".?:&|+})],="
