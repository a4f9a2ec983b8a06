"""Whether the book has anything to say about a question at all, before a model is asked. Pure.

Measured on a robotics book (all-MiniLM-L6-v2): the best cosine of off-topic questions has p95 .26, of answerable
ones p5 .35; questions of one or two terms ("IK") and Roman Urdu fall below and are found by their words. Questions
near the topic but not in the book pass: telling those apart is for the model and the citation check.
"""

import re
from collections.abc import Iterable

from backend.app.models.domain import ScoredChunk
from backend.app.textbook.analyzer import terms

TERM_COVERAGE = 0.6
"""Share of the question's distinct terms that one passage must hold when no cosine speaks for it."""

# Question and grammar words of Urdu in Latin letters: an English book does not hold them, whatever it is about.
_ROMAN_URDU = frozenset(
    terms(
        """aur batao bataen bataiye bhi hai hain hota hoti hote hum iska iski iske kaise kaisay kaam karna karta karti
        karte karo kare ki kia kis kisi kiya ke ka ko kon konsa kya kyun kyon liye mein mujhe nahi samjhao samjhaen
        tha thi uska uski wala ya ye yeh"""
    )
)
_LATIN = re.compile(r"[a-z0-9]")


def is_answerable(hits: Iterable[ScoredChunk], question: str, threshold: float) -> bool:
    """One good piece of evidence is enough: a cosine of `threshold`, or a passage that holds the question's words."""
    found = list(hits)
    return any(hit.dense >= threshold for hit in found) or bool(relevant(found, [question], threshold))


def relevant(hits: Iterable[ScoredChunk], questions: Iterable[str], threshold: float) -> list[ScoredChunk]:
    """The hits that are evidence for at least one of the questions, in the order given."""
    asked = [_asked_terms(question) for question in questions]
    return [hit for hit in hits if any(_is_evidence(hit, terms_of_one, threshold) for terms_of_one in asked)]


def _is_evidence(hit: ScoredChunk, asked: frozenset[str], threshold: float) -> bool:
    return hit.dense >= threshold or (hit.lexical > 0 and _coverage(asked, hit) >= TERM_COVERAGE)


def _asked_terms(question: str) -> frozenset[str]:
    """Distinct terms. In a question that mixes scripts only its Latin terms count: an English book cannot hold
    the others."""
    found = frozenset(terms(question)) - _ROMAN_URDU
    return frozenset(term for term in found if _LATIN.search(term)) or found


def _coverage(asked: frozenset[str], hit: ScoredChunk) -> float:
    return len(asked & set(terms(hit.chunk.embedding_text))) / len(asked) if asked else 0.0
