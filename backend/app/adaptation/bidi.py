"""Isolates what the Unicode bidirectional algorithm would scramble inside text that runs from right to left.

In such a line "-5 °C" is shown as "C° 5-" and "C++" as "++C". Between U+2066 and U+2069 a run keeps its order, in
every renderer and without HTML. Knows masked Markdown. Pure.
"""

import re

LRI, PDI = "\u2066", "\u2069"
_ATOM = r"(?:⟦[CF]\d+⟧|⟦X\d+⟧(?=\d)|[A-Za-z0-9\u00c0-\u024f\u0370-\u03ff°%‰′″²³¹\u2070-\u209f€£¥µ∞])"
_BETWEEN = r"(?:[-+−–/×·⋅=≈±≤≥.,:'’&^@_]{1,3}|\+{0,2} (?:[-+−–×·⋅=≈±≤≥/&] )?|\(\)\.?)"
_OTHER_MARK = r"⟦[ABDEG-WYZ]\d+⟧|⟦X\d+⟧(?!\d)"
_RUN = re.compile(
    rf"{_OTHER_MARK}|(?:(?<![\w⟧])[-+−–±≈])?{_ATOM}+(?:{_BETWEEN}{_ATOM}+)*(?:\+\+?(?!\w)|#(?!\w)|\(\))?"
)
_PARAGRAPH_END = re.compile(r"(\n[ \t>]*\n)")
_PREFIX = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:#{1,6}[ \t]+)?")
_SAFE = re.compile(rf"{_OTHER_MARK}|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:[ '’&/.,:-]{{1,3}}[^\W\d_]+)*")
"""Plain numbers, and words of letters with signs only between them: the algorithm keeps their order."""


def isolate(masked_text: str) -> str:
    """The text with isolates around runs that need them. Marks of code and formulas belong to runs, and a sign before
    a number; the markers of lists, quotes, headings and tables, the targets of links and all other marks do not.

    A dollar that begins no formula could end one when it is parted from its digits or from the space before it: it
    stays with its digits, and a paragraph with both single signs and formulas is left as it is.
    """
    return "".join(map(_paragraph, _PARAGRAPH_END.split(masked_text)))


def _paragraph(text: str) -> str:
    return text if "⟦X" in text and "⟦F" in text else "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    if LRI in line or PDI in line:
        return line
    prefix = _PREFIX.match(line)
    start = prefix.end() if prefix else 0
    return line[:start] + _RUN.sub(_isolated, line[start:])


def _isolated(run: re.Match[str]) -> str:
    return run[0] if _SAFE.fullmatch(run[0]) else f"{LRI}{run[0]}{PDI}"
