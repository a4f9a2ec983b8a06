"""Whether the book has anything to say about a question at all, before a model is asked. Pure.

The line was found when the book was indexed (`textbook.calibration`), or is the cosine that the owner set. Questions
near the topic but not in the book pass: telling those apart is for the model and the citation check.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.app.models.domain import Manifest, ScoredChunk
from backend.app.textbook.calibration import read_calibration
from backend.app.textbook.evidence import asked_terms, evidence, is_unknown_name, share_held

_ABOUT_THE_BOOK = re.compile(
    r"\b(?:this|the|your) (?:\w+ )?(?:book|textbook|course|guide|manual|tutorial|documentation|docs|website|site)\b"
    r"|\bchapters?\b|\bprerequisites?\b|\bsyllabus\b|\bbefore (?:(?:i|we) (?:start|begin)|starting|beginning)\b"
    r"|\b(?:is|iss|yeh|ye) (?:kitab|kitaab|course|book)\b|(?:اس|یہ) (?:کتاب|کورس)",
    re.IGNORECASE,
)
TERM_SHARE = 0.6
"""Share of the question's words that one passage must hold when the owner set a cosine and none reaches it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Either `cosine` decides, or, where it is None, the book's own `line` on `evidence`."""

    line: float
    cosine: float | None = None


def gate_of(manifest: Manifest, cosine: float | None) -> Gate:
    """The gate of the book with this manifest; `cosine` is RETRIEVAL_THRESHOLD."""
    return Gate(read_calibration(manifest.gate).threshold, cosine)


def relevant(hits: Sequence[ScoredChunk], question: str, gate: Gate) -> list[ScoredChunk]:
    """The hits of a search for `question` that are evidence by themselves, in the order given. One is enough for the
    question to be answered. What is asked about the book itself, the book can answer."""
    if _ABOUT_THE_BOOK.search(question):
        return list(hits)
    if gate.cosine is None:
        if is_unknown_name(hits, question):
            return []
        return [hit for hit, strength in zip(hits, evidence(hits, question), strict=True) if strength >= gate.line]
    asked = asked_terms(question)
    return [
        hit for hit in hits if hit.dense >= gate.cosine or (hit.lexical > 0 and share_held(asked, hit) >= TERM_SHARE)
    ]
