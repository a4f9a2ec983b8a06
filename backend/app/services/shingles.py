"""How much of one text stands in another, whatever its markup, white space and letter case.

Characters, not words: the text a browser hands over (`textContent`) glues the last word of a paragraph to the
first of the next, which breaks word n-grams and leaves these untouched.
"""

import re
import unicodedata

SHINGLE_CHARS = 24
"""About five English words."""

_NO_LETTER = re.compile(r"[\W_]+")


def letters(text: str) -> str:
    """Only letters and digits, in one case and one Unicode form."""
    return _NO_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> str:
    """The words with one space around each, so that `in` finds whole words only."""
    return f" {_NO_LETTER.sub(' ', unicodedata.normalize('NFKC', text).casefold()).strip()} "


def shingles(squashed: str) -> frozenset[str]:
    """All runs of SHINGLE_CHARS characters; a shorter text is its own only one; of an empty text there are none."""
    if not squashed:
        return frozenset()
    last = max(len(squashed) - SHINGLE_CHARS, 0)
    return frozenset(squashed[start : start + SHINGLE_CHARS] for start in range(last + 1))


def share(part: frozenset[str], whole: frozenset[str]) -> float:
    """The fraction of `part` that is also in `whole`, 0 for an empty part."""
    return len(part & whole) / len(part) if part else 0.0
