"""The words of one book: which it has, how often, and which of them a foreign spelling means.

`vocabulary_of` is computed at ingest and kept as JSON with the index; `load_vocabulary` makes it searchable by sound.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]

from backend.app.language.sounds import english_sounds, keys, likeness, urdu_sounds
from backend.app.language.spelling import is_urdu_script

MOST_WORDS = 20_000
URDU_BOOK = 0.3
"""Share of words in Urdu script from which on a book is searched with Urdu words."""
ALIKE = 0.8
ALIKE_SHORT = 0.9
_SHORT = 2  # consonants
_LONGEST = 32  # letters
_SHORTEST_ROMAN = 5  # letters: shorter Roman words are too like too many English ones
_ENDING_COST = 0.03
_COUNT_BONUS = 0.01
_WORD = re.compile(r"[^\W\d_]+")
_VOWEL = re.compile("[aeiouy]")
_ENDINGS = ("وں", "یں", "ز", "س", "ے")
_stemmer: Any = snowballstemmer.stemmer("english")  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`counts`: lower-case word -> how often the book has it. `by_sound`: consonant key -> words."""

    counts: Mapping[str, int]
    stems: frozenset[str]
    by_sound: Mapping[str, tuple[str, ...]]
    is_urdu: bool

    def __contains__(self, word: str) -> bool:
        return word in self.counts or _stem(word) in self.stems

    def sounding_like(self, word: str) -> str | None:
        """The book's word that this Urdu or Roman spelling means, or None when nothing is close enough."""
        spellings = [(word, 0.0)]
        if is_urdu_script(word):
            spellings += [(word.removesuffix(end), _ENDING_COST) for end in _ENDINGS if word.endswith(end)]
        elif len(word) < _SHORTEST_ROMAN:
            return None
        best = max((self._closest(spelling, cost) for spelling, cost in spellings), default=(0.0, ""))
        return best[1] or None

    def _closest(self, spelling: str, cost: float) -> tuple[float, str]:
        sounds = urdu_sounds(spelling) if is_urdu_script(spelling) else english_sounds(spelling)
        best = (0.0, "")
        for key in keys(sounds) if sounds else ():
            enough = ALIKE if len(key) > _SHORT else ALIKE_SHORT
            for word in self.by_sound.get(key, ()):
                score = likeness(english_sounds(word), sounds or ()) - cost
                if score >= enough:
                    best = max(best, (score + _COUNT_BONUS * math.log(self.counts[word]), word))
        return best


def vocabulary_of(texts: Iterable[str]) -> dict[str, Any]:
    """What `load_vocabulary` reads, as JSON: the book's commonest words with their counts, ~12 bytes a word."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(map(str.lower, _WORD.findall(text)))
    urdu = sum(count for word, count in counts.items() if is_urdu_script(word))
    latin = Counter({word: n for word, n in counts.items() if word.isascii() and 1 < len(word) <= _LONGEST})
    commonest = dict(latin.most_common(MOST_WORDS))
    return {"words": commonest, "urdu": round(urdu / max(1, counts.total()), 3)}


def load_vocabulary(stored: Mapping[str, Any]) -> Vocabulary:
    """~50 ms for 5,000 words; remember it. An empty mapping gives a vocabulary without words."""
    counts: dict[str, int] = dict(stored.get("words") or {})
    by_sound: dict[str, list[str]] = {}
    for word in filter(_VOWEL.search, counts):
        for key in keys(english_sounds(word)):
            by_sound.setdefault(key, []).append(word)
    return Vocabulary(
        counts=MappingProxyType(counts),
        stems=frozenset(map(_stem, counts)),
        by_sound={key: tuple(words) for key, words in by_sound.items() if key},
        is_urdu=float(stored.get("urdu") or 0) >= URDU_BOOK,
    )


def _stem(word: str) -> str:
    return _stems(word)


@lru_cache(maxsize=50_000)
def _stems(word: str) -> str:
    return _stemmer.stemWord(word) if word.isascii() else word
