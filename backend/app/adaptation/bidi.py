"""Isolates what the Unicode bidirectional algorithm would scramble inside text that runs from right to left.

In such a line "-5 °C" is shown as "C° 5-" and "C++" as "++C". Between U+2066 and U+2069 a run keeps its order, in
every renderer and without HTML. Knows masked Markdown. Pure.
"""

import re

LRI, PDI = "\u2066", "\u2069"
_ATOM = r"(?:⟦[CF]\d+⟧|[A-Za-z0-9\u00c0-\u024f\u0370-\u03ff°%‰′″²³¹\u2070-\u209f€£¥µ∞])"
_BETWEEN = r"(?:[-+−–/×·⋅=≈±≤≥.,:'’&^@_]{1,3}| (?:[-+−–×·⋅=≈±≤≥/&] )?)"
_RUN = re.compile(rf"⟦[A-BDEG-Z]\d+⟧|(?:(?<![\w⟧])[-+−–±≈])?{_ATOM}+(?:{_BETWEEN}{_ATOM}+)*(?:\+\+|#(?!\w))?")
_PREFIX = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:#{1,6}[ \t]+)?")
_SAFE = re.compile(r"⟦[A-BDEG-Z]\d+⟧|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:[ '’&/.,:-]{1,3}[^\W\d_]+)*")
"""Plain numbers, and words of letters with signs only between them: the algorithm keeps their order."""


def isolate(masked_text: str) -> str:
    """The text with isolates around runs that need them. Marks of code and formulas belong to runs; the markers of
    lists, quotes, headings and tables, the targets of links and all other marks do not."""
    return "\n".join(_line(line) for line in masked_text.split("\n"))


def _line(line: str) -> str:
    if LRI in line or PDI in line:
        return line
    prefix = _PREFIX.match(line)
    start = prefix.end() if prefix else 0
    return line[:start] + _RUN.sub(_isolated, line[start:])


def _isolated(run: re.Match[str]) -> str:
    return run[0] if _SAFE.fullmatch(run[0]) else f"{LRI}{run[0]}{PDI}"
