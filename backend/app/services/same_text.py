"""Is a text that a client sent a page of the book, whatever became of its markup? Pure.

Compared by runs of letters: the text that a browser hands over (`textContent`) has no markup and glues the last word
of a paragraph to the first of the next. The bounds are measured on 176 pages of four books, rendered with formulas
set by KaTeX, and on changed copies of them (decision 54).
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate

from backend.app.services.normalised_text import word_list

RUN = 12
"""Letters that two texts have in common by more than chance: about two English words."""
MOST_FOREIGN_RUN = 16
"""Letters of words side by side that the page does not have, about three words. A sentence from another page has 30
to 120."""
MOST_FOREIGN_BESIDE_FORMULAS = 28
"""The same where signs of a formula stand between the words: the rendered pages have 26 at most."""
_PROSE = 0.75
"""Of a sentence at least so many letters stand in words of four letters and more."""
MOST_FOREIGN = 0.05
"""Share of the text that the page does not have: 0.014 at most of a rendered page."""
MOST_MISSING = 0.12
"""Share of the page that the text does not have: 0.08 at most for a rendered page."""
_WORD = 4
"""Shorter ones do not count as foreign: a rendered formula is its signs twice around its source."""


@dataclass(frozen=True, slots=True)
class Squashed:
    """A text without anything but its letters. `counted[n]`: how many of the first n stand in words."""

    letters: str
    counted: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> "Squashed":
        words = word_list(text)
        counts = (len(word) >= _WORD for word in words for _ in word)
        return cls("".join(words), (0, *accumulate(counts)))


def difference(text: Squashed, forms: Collection[str], beside: str = "") -> float | None:
    """How much of the text and the page is not the same, 0 to 0.17; None: it is not that page. `forms`: the letters
    of the page's Markdown and of its words as readers see them; `beside`: letters that may stand there too. 25 ms for
    20,000 letters."""
    if text.letters in forms:
        return 0.0
    known = frozenset[str]().union(*map(runs_of, (*forms, beside)))
    gaps = [(text.counted[end] - text.counted[start], end - start) for start, end in _gaps(text.letters, known)]
    foreign = sum(counted for counted, _ in gaps) / max(len(text.letters), 1)
    if foreign > MOST_FOREIGN or any(_is_put_in(*gap) for gap in gaps):
        return None
    told = runs_of(text.letters)
    missing = min(sum(end - start for start, end in _gaps(form, told)) / max(len(form), 1) for form in forms)
    return foreign + missing if missing <= MOST_MISSING else None


def _is_put_in(counted: int, signs: int) -> bool:
    """Whether a gap of so many signs, so many of them in words, is more than a slip."""
    return counted > (MOST_FOREIGN_RUN if counted > _PROSE * signs else MOST_FOREIGN_BESIDE_FORMULAS)


def runs_of(letters: str) -> frozenset[str]:
    """All runs of RUN letters."""
    return frozenset(letters[start : start + RUN] for start in range(len(letters) - RUN + 1))


def _gaps(letters: str, known: Collection[str]) -> list[tuple[int, int]]:
    """The parts that no known run covers."""
    gaps: list[tuple[int, int]] = []
    covered = 0
    for start in range(len(letters) - RUN + 1):
        if letters[start : start + RUN] in known:
            if start > covered:
                gaps.append((covered, start))
            covered = start + RUN
    return [*gaps, (covered, len(letters))] if covered < len(letters) else gaps
