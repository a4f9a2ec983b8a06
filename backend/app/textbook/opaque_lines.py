"""What lines of a page are: the patterns of MDX's blocks, and where fences, formulas and paragraphs end.

Works on text with LF line ends. Must not know what inline Markdown means.
"""

import re

QUOTES = re.compile(r"[ \t]*(?:>[ \t]*)*")
PREFIX = re.compile(r"[ \t]*(?:(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))[ \t]*)*")
FRONT_MATTER = re.compile(
    r"-{3,}[ \t]*\n(?=(?:[ \t]*(?:#[^\n]*)?\n)*[\w\"'-]+[ \t]*:)"
    r"(?:[^\n]*\n)*?-{3,}[ \t]*(?=\n|\Z)"
)
HEADING = re.compile(rf"{PREFIX.pattern}#{{1,6}}(?:[ \t]|$)")
SETEXT = re.compile(r"(?:=+|-+)[ \t]*$")
THEMATIC = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
MODULE = re.compile(r"(?:import|export)(?=[\s{*'\"])")
FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,100}\]:[ \t]*")
REFERENCE = re.compile(
    r"\[(?!\^)(?:[^\[\]\\]|\\.){1,999}\]:[ \t]*(?:<[^<>]*>|[^\s<]\S*)"
    r"(?:[ \t]+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?[ \t]*$"
)
TASK = re.compile(rf"{PREFIX.pattern}(?<=[ \t])(\[[ xX]\])[ \t]")
DIRECTIVE = re.compile(r":{3,}[ \t]*(?:(?P<name>[A-Za-z][\w-]*)(?P<rest>[^\n]*)|)$")
FORMULA_END = re.compile(r"\$\$[ \t]*$", re.MULTILINE)
_QUOTED = re.compile(r"[ \t]*>[ \t>]*")
_OUTSIDE_QUOTE = re.compile(r"^(?![ \t]*>)", re.MULTILINE)
_FENCE = re.compile(r"(?P<marker>`{3,}|~{3,})(?P<info>[^\n]*)")
_NEW_BLOCK = re.compile(
    r"[ \t]*(?:>[ \t]*)*(?:$|#{1,6}(?:[ \t]|$)|`{3}|~{3}|(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)|:{3}|\$\$|\|"
    r"|\[\^[^\]\s]{1,100}\]:)",
    re.MULTILINE,
)


def line_end(text: str, position: int) -> int:
    """Index of the line feed that ends the line, or of the end of the text."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def without_quotes(text: str) -> str:
    """The text with blanks for the quote marks of lines that continue a quote, every character where it was; a `>`
    that closes a tag stays."""
    lines = text.split("\n")
    above = 0
    for number, line in enumerate(lines):
        quoted = _QUOTED.match(line) if above else None
        marks = quoted.group().count(">") if quoted else 0
        if marks:
            lines[number] = line.replace(">", " ", min(above, marks))
        above = _count_quotes(line)
    return "\n".join(lines)


def _count_quotes(line: str) -> int:
    prefix = PREFIX.match(line)
    return prefix.group().count(">") if prefix else 0


def fence_end(text: str, start: int, content: int) -> int:
    """Where the fence ends whose marker stands at `content` of the line at `start`: behind its closing line; an
    unclosed one goes on to the end of its quote or of the text. -1: there is no fence."""
    opening = _FENCE.match(text, content)
    if opening is None or (opening["marker"][0] == "`" and "`" in opening["info"]):
        return -1
    quoted = ">" in text[start:content]
    marker = opening["marker"]
    spaces = "[ \\t>]*" if quoted else "[ \\t]*"
    below = min(line_end(text, content) + 1, len(text))
    outside = _OUTSIDE_QUOTE.search(text, below) if quoted else None
    stop = max(outside.start() - 1, below - 1) if outside else len(text)
    close = re.compile(rf"^{spaces}{marker[0]}{{{len(marker)},}}[ \t]*$", re.MULTILINE).search(text, below, stop)
    return close.end() if close else stop


def title_range(directive: re.Match[str]) -> tuple[int, int]:
    """Where the title stands in `:::note Title`, `:::note[Title]` and `:::note[Title]{.class}`; empty: none."""
    start, end = directive.span("rest")
    rest = directive["rest"]
    if rest.lstrip().startswith("{"):
        return end, end
    if rest.startswith("[") and "]" in rest:
        return start + 1, start + rest.rindex("]")
    return start + len(rest) - len(rest.lstrip()), start + len(rest.rstrip())


def paragraph_end(text: str, position: int) -> int:
    """Where the paragraph ends that the line at `position` belongs to: before a blank line or another block."""
    if text.startswith("|", position):
        return line_end(text, position)
    end = line_end(text, position)
    while end < len(text) and not _NEW_BLOCK.match(text, end + 1):
        end = line_end(text, end + 1)
    return end
