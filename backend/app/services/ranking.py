"""Two lists of scores -> one ranking. Knows numbers only.

A convex combination of scores is ahead of rank fusion on every set that was tried (SQuAD 2.0: recall@1 .844
against .780): ranks throw away how much better a hit is. Bruch, Gai & Ingber, "An Analysis of Fusion Functions
for Hybrid Retrieval" (2023), found the same.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

DENSE_WEIGHT = 0.65
MISSING_COSINE = 0.7
FULL_MATCH_WORDS = 3
"""A best BM25 below that of three rare words is no full score: then the passages have few of the question's words,
and what they have must not outweigh the meaning."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage by its position in the book. `score`: 0..1; `dense`: cosine; `lexical`: raw BM25."""

    position: int
    score: float
    dense: float
    lexical: float


def fuse(dense: Mapping[int, float], lexical: Mapping[int, float], *, passages: int, limit: int) -> list[Ranked]:
    """Best first: 0.65 x cosine + 0.35 x BM25 / best BM25, or / 3 ln(1 + passages) where that is more: a word that
    one passage of the book has weighs about ln(passages). Equal scores keep the order of the book.

    Both lists are the best N of the book, so a passage that misses one is known to be below its end: it gets 0
    for BM25 (below the end, or no common term) and 0.7 of the list's last cosine, about what such passages have
    (N = 200 of 1,186 passages: 97 % of the top ten are those of the exact ranking; 96 % with 0 or with 1.0).
    """
    best = max([FULL_MATCH_WORDS * math.log1p(passages), *lexical.values()])
    missing = MISSING_COSINE * min(dense.values(), default=0.0)
    ranked = [
        _combined(position, dense.get(position, missing), lexical.get(position, 0.0), best)
        for position in dense.keys() | lexical.keys()
    ]
    # rounded, so that float noise between two builds of the store cannot turn a tie
    return sorted(ranked, key=lambda hit: (-round(hit.score, 6), hit.position))[:limit]


def _combined(position: int, cosine: float, bm25: float, best: float) -> Ranked:
    score = DENSE_WEIGHT * max(cosine, 0.0) + (1 - DENSE_WEIGHT) * bm25 / best
    return Ranked(position, min(score, 1.0), cosine, bm25)
