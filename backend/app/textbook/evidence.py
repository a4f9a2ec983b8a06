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

NAME_WEIGHT = 0.3
"""The same where what is looked up is a name or code: "IK" and "what is A*?" lie as low as .2 in cosine, and a
passage that has the name is where it is explained."""

_MOST_NAMES = 3
# IK, QoS, tf2, rclpy.init, joint_1, A*, C++, M(q)
_NAME = re.compile(r"[A-Z]{2}|[a-z][A-Z]|[A-Za-z][0-9]|\w[._:/]+\w|\w\(|--\w|\b[A-Za-z]{1,4}(?:[*#]|\+\+)")
_MOST_CAPITALS = 2
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_LATIN_LETTER = re.compile(r"[A-Za-z]")
# Said to a person, in English and Urdu: a question of nothing else asks nothing of a book.
_SMALL_TALK = """
    hi hii hello hey heya yo hallo greetings thanks thank thankyou thx ty cheers bye goodbye ok okay okey yes yeah
    yep nope lol haha hahaha welcome sorry cool nice great good well fine morning afternoon evening night there much
    lot dear sir madam bro bhai yaar salam salaam slm assalam assalamu alaikum alaykum walaikum aoa wa adaab
    shukriya meherbani mehrbani shukria jazakallah khuda hafiz allah acha achha theek thik jee haan nahi haal hal
    khairiyat السلام علیکم وعلیکم سلام شکریہ مہربانی حال خیریت خدا حافظ ٹھیک اچھا بھائی جی ہاں نہیں"""


def evidence(hits: Sequence[ScoredChunk], question: str) -> list[float]:
    """For each hit about 0..1: its cosine and the mean cosine of all hits, half each, and 0.1 for the share of the
    question's words that it holds (0.3 where these are names).

    Best of what was tried (decision 30): a lone similar passage is chance, a similar neighbourhood is the book's
    subject; "IK" is unlike every passage and stands in one.
    """
    asked = asked_terms(question)
    if not hits or asked is None:
        return [0.0] * len(hits)
    shares = [_share(asked, hit) for hit in hits]
    mean = sum(hit.dense for hit in hits) / len(hits)
    weight = NAME_WEIGHT if _is_look_up(question, asked) else WORD_WEIGHT
    is_latin = _LATIN_LETTER.search(question) is not None
    return [
        (hit.dense + mean) / 2 + (weight if share == 1 else WORD_WEIGHT) * share
        if share or is_latin != _is_in_another_script(hit)
        else 0.0  # the cosine between scripts is noise: .17-.24 whatever is asked
        for hit, share in zip(hits, shares, strict=True)
    ]


def is_unknown_name(hits: Sequence[ScoredChunk], question: str) -> bool:
    """A name or a piece of code is looked up in a book in Latin script, and no passage found holds a word of it: that
    some are like it is chance."""
    asked = asked_terms(question)
    if asked is None or not _is_look_up(question, asked) or any(_is_in_another_script(hit) for hit in hits):
        return False
    return not any(_share(asked, hit) for hit in hits)


def asked_terms(question: str) -> frozenset[str] | None:
    """The distinct terms that say what is asked for; None when there is only small talk. In a question that mixes
    scripts only its Latin terms: an English book cannot hold the others."""
    said = frozenset(terms(question))
    language = detect(question)
    if said & _idle_terms() and said <= _idle_terms() | (_grammar_terms() if language != "en" else frozenset[str]()):
        return None
    asked = said - _idle_terms() - (_grammar_terms() if language == "ur-Latn" else frozenset[str]())
    return frozenset(term for term in asked if _LATIN_LETTER.search(term)) or asked


def share_held(asked: frozenset[str] | None, hit: ScoredChunk) -> float:
    """The share of the terms that the passage holds; 0 when nothing is asked for."""
    return _share(asked, hit) if asked else 0.0


def _share(asked: frozenset[str], hit: ScoredChunk) -> float:
    """Urdu grammar alone is nothing in an English passage: a glossary holds it whatever is asked."""
    words = set(terms(hit.chunk.embedding_text))
    held = asked & words
    is_english = 2 * sum(map(str.isascii, words)) > len(words)
    return 0.0 if not held or (is_english and held <= _urdu_grammar()) else len(held) / len(asked)


def _is_in_another_script(hit: ScoredChunk) -> bool:
    """Most of its letters are not Latin."""
    letters = sum(map(str.isalpha, hit.chunk.text))
    return len(_LATIN_LETTER.findall(hit.chunk.text)) * 2 < letters


def _is_look_up(question: str, asked: frozenset[str]) -> bool:
    """A name or a piece of code, and little beside it. Not when all is written in capitals."""
    words = _LATIN_WORD.findall(question)
    shouted = len(words) > _MOST_CAPITALS and all(map(str.isupper, words))
    return 0 < len(asked) <= _MOST_NAMES and not shouted and _NAME.search(question) is not None


@cache
def _idle_terms() -> frozenset[str]:
    return frozenset(terms(_SMALL_TALK))


@cache
def _grammar_terms() -> frozenset[str]:
    return frozenset(terms(" ".join(FUNCTION_WORDS)))


@cache
def _urdu_grammar() -> frozenset[str]:
    return frozenset(term for term in _grammar_terms() if not term.isascii())
