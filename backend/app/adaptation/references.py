"""References that a text brings along and its source does not have: papers, their authors, years and identifiers.

A model can name a technique from memory, but a paper that it names may not exist. Knows English ways of citing;
addresses are found by `telltales`. Pure.
"""

import re

_NAME = r"[A-Z][\w'’-]+"
_NAMES = rf"{_NAME}(?:,? (?:and |& )?{_NAME}){{0,4}}"
_YEAR = r"(?:19|20)\d\d[a-z]?"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:DOI|doi|Doi)\b[:\s]*|\b10\.\d{4,9}/[^\s)\]]+",
        r"\b[aA][rR][xX][iI][vV]\b|\b\d{4}\.\d{4,5}\b",
        r"\bIS[BS]N\b",
        rf"\b{_NAME} et al\b|\bet al\b",
        rf"\({_NAMES},? {_YEAR}(?:[;,][^()]*)?\)|\b{_NAME} \({_YEAR}\)|\b{_NAME} (?:and|&) {_NAME},? \(?{_YEAR}\b",
        r"\[\d{1,3}(?:[,–-] ?\d{1,3})*\](?!⟦)|\[\^",
        r"\b(?:Proceedings of|Transactions on|Journal of|Conference on|Symposium on|Workshop on|University Press)\b",
        r"\b(?:ICRA|IROS|NeurIPS|ICML|ICLR|CVPR|ICCV|ECCV|CoRL|SIGGRAPH)\b",
        r"\b(?:[Pp]aper|[Aa]rticle|[Tt]hesis|[Ss]tudy|[Ss]urvey) (?:titled|entitled|called|published|in (?=[A-Z]))",
        r"\b(?:vol\.|pp\.) ?\d+",
    )
)
_CREDITED = re.compile(
    rf"\b(?:[Pp]apers?|[Aa]rticles?|[Ss]tud(?:y|ies)|[Tt]hes[ie]s|[Bb]ooks?|[Ww]ork|[Pp]roposed|[Ii]ntroduced|[Pp]ublished"
    rf"|[Ii]nvented) (?:by|of) ({_NAMES})|\b[Aa]ccording to ({_NAMES})"
)


def invented_references(source: str, reply: str) -> list[str]:
    """What the reply refers to and the source does not contain, as it is written, each once. `source` is unmasked:
    with its links' targets."""
    known = _flat(source)
    found = [match.group() for pattern in _PATTERNS for match in pattern.finditer(reply)]
    credited = [match[1] or match[2] for match in _CREDITED.finditer(reply)]
    return [
        reference for reference in dict.fromkeys(map(str.strip, [*found, *credited])) if _flat(reference) not in known
    ]


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())
