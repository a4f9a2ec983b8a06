"""The words of one book: which it has, how often, and which of them a foreign spelling means.

`vocabulary_of` is computed at ingest and kept as JSON with the index; `load_vocabulary` makes it searchable by sound.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from backend.app.language.sounds import Sound, consonants, distance, english_sounds, keys, urdu_sounds
from backend.app.language.spelling import is_urdu_script

MOST_WORDS = 20_000
URDU_BOOK = 0.3
"""Share of words in Urdu script from which on a book is searched with Urdu words."""
_URDU_LIMITS = (-1.0, -0.1, 0.15, 0.35, 0.5, 0.65)
"""How far an Urdu spelling may be from the book's word, by its number of consonants: 92 % of 228 loan words are
heard, and 5 % of 2,283 native words would be, if the dictionary did not know them (decision 35)."""
_ROMAN_LIMITS = (-1.0, -1.0, -1.0, 0.5, 1.0)
_LOAN_BONUS = 0.15
_LONGEST = 32  # letters
_SHORTEST_ROMAN = 5  # letters: shorter Roman words are too like too many English ones
_COUNT_BONUS = 0.04
_ENDING_COST = 0.1
_EQUALLY = 0.1
_SHORT = 3  # consonants
_FEWEST = 2  # times that the book has a short word: what stands there once is a name or a slip
_WORD = re.compile(r"[^\W\d_]+")
_GRAMMAR = """
    a an and any are as at be but by can could did do does doesn don for from get got had has have he her him his how
    i if in into is isn it its let me may might must my no not of off on or our out she should so than that the their
    them then there these they this those to too up us was we were what when where which while who whom whose why will
    with would you your"""
_grammar = frozenset(_GRAMMAR.split())
_VOWEL = re.compile("[aeiouy]")
_LOAN = re.compile("[ٹڈ]")  # the t and d of English words
_NATIVE = re.compile(r"[kbdj]h|aa|q(?!u)|[ai]ya[nt]?$")
_ENGLISH_ENDINGS = ("s", "es", "d", "ed", "ing", "ly")
_ENDINGS = ("وں", "یں", "ز", "س", "ے")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`counts`: lower-case word -> how often the book has it. `by_sound`: consonant key -> words."""

    counts: Mapping[str, int]
    by_sound: Mapping[str, tuple[str, ...]]
    is_urdu: bool

    def __contains__(self, word: object) -> bool:
        """Whether the book has it, in this form or a regular other one: walk, walks, walked, walking."""
        stems = [str(word), *(str(word).removesuffix(end) for end in _ENGLISH_ENDINGS if str(word).endswith(end))]
        return any(stem + end in self.counts for stem in stems for end in ("", *_ENGLISH_ENDINGS))

    def sounding_like(self, word: str) -> tuple[str, ...]:
        """The book's words that this Urdu or Roman spelling may mean, the likeliest first: none when nothing is
        close enough, two when two are equally close (`base` and `bias`)."""
        if is_urdu_script(word):
            spellings = [word, *(word.removesuffix(end) for end in _ENDINGS if word.endswith(end))]
            near = [
                (cost + _ENDING_COST * (spelling != word), found)
                for spelling in spellings
                for cost, found in self._close(urdu_sounds(spelling), _URDU_LIMITS, loan=bool(_LOAN.search(spelling)))
            ]
        else:
            is_native = len(word) < _SHORTEST_ROMAN or _NATIVE.search(word)
            near = [] if is_native else self._close(english_sounds(word), _ROMAN_LIMITS)
        near.sort()
        return tuple(dict.fromkeys(found for cost, found in near[:2] if cost - near[0][0] <= _EQUALLY))

    def _close(
        self, sounds: tuple[Sound, ...] | None, limits: Sequence[float], *, loan: bool | None = None
    ) -> list[tuple[float, str]]:
        """(cost, word) of what is near enough. `loan` None means a Roman spelling."""
        size = consonants(sounds or ())
        limit = limits[min(size, len(limits) - 1)] + _LOAN_BONUS * bool(loan)
        fewest = _FEWEST if size <= _SHORT else 1
        found: list[tuple[float, str]] = []
        for key in keys(sounds) if sounds and limit > 0 else ():
            for word in self.by_sound.get(key, ()):
                cost = distance(english_sounds(word), sounds or (), is_urdu=loan is not None)
                if cost <= limit and self.counts[word] >= fewest:
                    found.append((cost - _COUNT_BONUS * math.log(self.counts[word]), word))
        return found


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
    """~0.1 s for 5,000 words; remember it. An empty mapping gives a vocabulary without words."""
    counts: dict[str, int] = dict(stored.get("words") or {})
    by_sound: dict[str, list[str]] = {}
    for word in filter(_is_speakable, counts):
        for key in keys(english_sounds(word)):
            by_sound.setdefault(key, []).append(word)
    return Vocabulary(
        counts=MappingProxyType(counts),
        by_sound={key: tuple(words) for key, words in by_sound.items() if key},
        is_urdu=float(stored.get("urdu") or 0) >= URDU_BOOK,
    )


def _is_speakable(word: str) -> bool:
    return word not in _grammar and _VOWEL.search(word) is not None
