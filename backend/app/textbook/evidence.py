"""How much the hits of a search speak for the book having something on the question. Pure.

Knows scores and words; must not know where the line is drawn (`calibration`, `gate`).
"""

import re
from collections.abc import Sequence
from functools import cache

from backend.app.language import FUNCTION_WORDS, detect
from backend.app.models.domain import ScoredChunk
from backend.app.textbook.analyzer import terms

WORD_WEIGHT = 0.1
"""What a passage that holds every word of the question is worth, in cosine."""

_LATIN = re.compile(r"[A-Za-z0-9]")
# Said to a person, in English and Roman Urdu: a question of nothing else asks nothing of a book.
_SMALL_TALK = """
    hi hii hello hey heya yo hallo greetings thanks thank thankyou thx ty cheers bye goodbye ok okay okey yes yeah
    yep nope lol haha hahaha welcome sorry cool nice great good well fine morning afternoon evening night there much
    lot dear sir madam bro bhai yaar salam salaam slm assalam assalamu alaikum alaykum walaikum aoa wa adaab
    shukriya meherbani mehrbani shukria jazakallah khuda hafiz allah acha achha theek thik jee haan nahi"""


def evidence(hits: Sequence[ScoredChunk], question: str) -> list[float]:
    """For each hit about 0..1: its cosine and the mean cosine of all hits, half each, and 0.1 for the share of the
    question's words that it holds.

    Best of what was tried (decision 30): a lone similar passage is chance, a similar neighbourhood is the book's
    subject; "IK" is unlike every passage and stands in one.
    """
    asked = asked_terms(question)
    if not hits or asked is None:
        return [0.0] * len(hits)
    shares = [_share(asked, hit) for hit in hits]
    if not any(shares) and not _LATIN.search(question):
        return [0.0] * len(hits)  # the cosine between scripts is noise: .17-.24 whatever is asked
    mean = sum(hit.dense for hit in hits) / len(hits)
    return [(hit.dense + mean) / 2 + WORD_WEIGHT * share for hit, share in zip(hits, shares, strict=True)]


def asked_terms(question: str) -> frozenset[str] | None:
    """The distinct terms that say what is asked for; None when there is only small talk. In a question that mixes
    scripts only its Latin terms: an English book cannot hold the others."""
    said = frozenset(terms(question))
    is_urdu = detect(question) in ("ur", "ur-Latn")
    asked = said - _idle_terms() - (_grammar_terms() if is_urdu else frozenset[str]())
    if said and not asked and said & _idle_terms():
        return None
    return frozenset(term for term in asked if _LATIN.search(term)) or asked


def share_held(asked: frozenset[str] | None, hit: ScoredChunk) -> float:
    """The share of the terms that the passage holds; 0 when nothing is asked for."""
    return _share(asked, hit) if asked else 0.0


def _share(asked: frozenset[str], hit: ScoredChunk) -> float:
    return len(asked & set(terms(hit.chunk.embedding_text))) / len(asked) if asked else 0.0


@cache
def _idle_terms() -> frozenset[str]:
    return frozenset(terms(_SMALL_TALK))


@cache
def _grammar_terms() -> frozenset[str]:
    return frozenset(terms(" ".join(FUNCTION_WORDS)))
