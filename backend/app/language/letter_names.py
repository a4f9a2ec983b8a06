"""Abbreviations that are written in Urdu as they are spoken, letter by letter: آر او ایس is ROS. Pure."""

from collections.abc import Container, Sequence

_NAMES = {
    "اے": "a", "بی": "b", "سی": "c", "ڈی": "d", "ای": "e", "ایف": "f", "جی": "g", "ایچ": "h", "آئی": "i", "جے": "j",
    "کے": "k", "ایل": "l", "ایم": "m", "این": "n", "او": "o", "پی": "p", "کیو": "q", "آر": "r", "ایس": "s",
    "ٹی": "t", "یو": "u", "وی": "v", "ڈبلیو": "w", "ایکس": "x", "وائی": "y", "زیڈ": "z", "زی": "z",
}  # fmt: skip
_WORDS_TOO = frozenset({"کے", "سی", "جی"})
"""Also grammar: the genitive, "-like", "yes"."""
_LONGEST = 6


def read_letter_names(words: Sequence[str], at: int, known: Container[str]) -> tuple[int, list[str]] | None:
    """(how many words, the abbreviation) for two letters or more. The longest one that the book has; an
    unknown one ends before letters that are also words of grammar."""
    letters: list[str] = []
    for word in words[at : at + _LONGEST]:
        if word not in _NAMES:
            break
        letters.append(_NAMES[word])
    for length in range(len(letters), 1, -1):
        if "".join(letters[:length]) in known:
            return length, ["".join(letters[:length])]
    while letters and words[at + len(letters) - 1] in _WORDS_TOO:
        letters.pop()
    return (len(letters), ["".join(letters)]) if len(letters) > 1 else None
