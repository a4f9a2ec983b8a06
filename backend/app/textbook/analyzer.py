"""Text -> the terms that lexical search counts, and their sparse vectors for BM25.

Knows words, code identifiers and scripts. Must not know the vector store: its IDF modifier multiplies each term's
weight with ln(1 + (N - df + 0.5) / (df + 0.5)); the rest of BM25 is in the document's weights here.
Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
"""

import re
import unicodedata
import zlib
from collections import Counter
from functools import lru_cache
from typing import Any

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]

ANALYZER_VERSION = 2
"""Part of every index's name: questions and passages must be cut the same way, so a change means a new index."""

K1 = 0.9
B = 0.4
"""Passages are cut to one size, so their length says little, and a word said twice is not twice the evidence:
SQuAD 2.0 has an MRR@10 of .896 with the usual 1.2 and 0.75, and .900 with these (decision 26)."""

AVERAGE_TERMS = 68.0
"""The average length is a constant: it lets one passage be weighted without the others, so an edited page changes
only its own vectors. Chunks are cut to one size, so the true average (68 terms in a robotics book of 1,186 chunks) is
nearly the same in every book."""

# Words of the question form and of English grammar: they say nothing about the subject.
_STOP_WORDS = """
    a about after all also am an and any are as at be because been before being between both but by can could did
    do does doing down during each few for from further had has have having he her here hers him his how i if in into
    is it its itself just me more most my no nor not now of off on once only or other our out over own same she should
    so some such than that the their them then there these they this those through to too under until up us very was
    we were what when where which while who whom why will with would you your yours explain tell please"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_ARABIC_LETTERS = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ہ", "ه": "ہ", "أ": "ا", "إ": "ا", "ـ": None})
_CONTRACTION = re.compile(r"(?<=\w)['’](?:s|t|re|ll|ve|d|m)\b", re.IGNORECASE)
# C++, C#, A*, RRT*; then words with the joints of identifiers: rclpy.init, sim-to-real, joint_1, std::vector
_WORD = re.compile(r"\b[A-Za-z](?:\+\+|#)(?!\w)|\b[A-Za-z]{1,4}\*(?![*\w])|[^\W_]+(?:(?:[_./-]|::)[^\W_]+)*")
_JOINT = re.compile(r"[_./-]|::")
_SEAM = re.compile(  # JointState, HTTPServer, ROS2, 30Hz
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_LONGEST_WORD = 64  # the rest of a hash or a base64 blob is no word
_stemmer: Any = snowballstemmer.stemmer("english")  # pyright: ignore[reportUnknownMemberType]


def terms(text: str) -> list[str]:
    """The terms in reading order, repeated as often as they stand there.

    An identifier counts whole and in parts: `rclpy.init`, `sim-to-real`, `JointState` and `ROS2` are found by either
    way of writing them. Urdu and Arabic words keep their form, without diacritics and letter variants.
    Not thread-safe (the stemmer keeps state).
    """
    return [term for word in _WORD.findall(_normalised(text)) for term in _word_terms(word[:_LONGEST_WORD])]


def sparse_document(text: str) -> tuple[list[int], list[float]]:
    """(term ids ascending, weights): BM25's saturated term frequency, to be multiplied with the IDF."""
    counts = Counter(map(_term_id, terms(text)))
    length = B * counts.total() / AVERAGE_TERMS + 1 - B
    ids = sorted(counts)
    return ids, [counts[i] * (K1 + 1) / (counts[i] + K1 * length) for i in ids]


def sparse_query(text: str) -> tuple[list[int], list[float]]:
    """(term ids ascending, weight 1 each): a word repeated in a question does not count twice."""
    ids = sorted({_term_id(term) for term in terms(text)})
    return ids, [1.0] * len(ids)


def _term_id(term: str) -> int:
    """A stable 32-bit id. CRC-32 collides for ~1 pair in a vocabulary of 90,000 terms: harmless here."""
    return zlib.crc32(term.encode("utf-8", "replace"))


def _normalised(text: str) -> str:
    """NFKD without combining marks: é = e, ﬁ = fi, Arabic letters without vowel signs."""
    decomposed = unicodedata.normalize("NFKD", text)
    if not decomposed.isascii():
        bare = "".join(c for c in decomposed if not unicodedata.combining(c))
        decomposed = unicodedata.normalize("NFC", bare).translate(_ARABIC_LETTERS)
    return _CONTRACTION.sub("", decomposed)


@lru_cache(maxsize=20_000)
def _word_terms(word: str) -> tuple[str, ...]:
    if not word[-1].isalnum():
        return (word.lower(), *filter(None, [_stem(word.rstrip("+#*").lower())]))
    parts = [piece.lower() for joint in _JOINT.split(word) for piece in _SEAM.split(joint)]
    stems = [stem for part in parts if (stem := _stem(part))]
    if len(parts) == 1:
        return tuple(stems)
    return (*stems, "".join(parts[:-1]) + (_stem(parts[-1]) or parts[-1]))


def _stem(word: str) -> str:
    """Empty for a stop word. Only ASCII words are stemmed: numbers and other scripts stay as they are."""
    if word in STOP_WORDS:
        return ""
    return _stemmer.stemWord(word) if word.isascii() and word.isalpha() and len(word) > 3 else word
