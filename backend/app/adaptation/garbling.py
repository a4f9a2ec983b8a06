"""Signs by which a text is garbled or decorated, in any language: what a reader sees is broken, hidden or noise.

Only what the source does not have itself counts. Works on masked texts. Pure.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

MOST_SAME_LETTERS, MOST_SAME_WORDS = 7, 5
"""In a row: a long vowel that is shouted, and "very, very, very"."""
MOST_COMBINING = 4
"""In a row: Hindi and vocalised Arabic have up to three on a letter."""
JOINERS = "\u200c\u200d"
"""Zero-width: Urdu, Arabic and Hindi are spelled with them, singly and between letters."""
MOST_JOINERS = 0.2

_JOINERS = re.compile(f"[{JOINERS}]")
_JOINERS_ASTRAY = re.compile(rf"[{JOINERS}]{{2}}|(?<!\S)[{JOINERS}]+(?!\S)")
_PICTURES = re.compile("[\U0001f000-\U0001faff☀-➿⬀-⯿⠀-⣿︀-️㋀-㏿]|[\U000e0100-\U000e01ef]")
"""Emoji, dingbats, Braille cells and what chooses their look."""
_PROGRAM_SIGNS = "<>{}$`\\"
_WORD = re.compile(r"\w+")
_QUOTES = {'"': '"', "“": "”", "”": "”", "«": "»", "'": "'", "‘": "’"}


def garbled(source: str, reply: str) -> Iterator[str]:
    """One sentence for each kind of noise that the reply has beyond its source."""
    if pictures := set(_PICTURES.findall(reply)) - set(_PICTURES.findall(source)):
        yield f"It has pictures that the source has not: {' '.join(sorted(pictures)[:5])}. Write none."
    if strange := {sign for sign in set(reply) - set(source) if _is_disguised(sign)}:
        names = ", ".join(f"U+{ord(sign):04X}" for sign in sorted(strange)[:5])
        yield f"It has letters or signs in a form of their own ({names}): write the ordinary ones."
    if mixed := _mixed_words(reply) - _mixed_words(source):
        yield f"The word {min(mixed)!r} has letters of two alphabets."
    if _has_astray_joiners(reply) and not _has_astray_joiners(source):
        yield "It has joiners (U+200C, U+200D) where no letters are to be joined."
    if _combining(reply) > max(MOST_COMBINING, _combining(source)):
        yield "It has letters below a pile of signs."
    letters, words = (
        (_most_in_a_row(reply), _most_in_a_row(source)),
        (_words_in_a_row(reply), _words_in_a_row(source)),
    )
    if letters[0] > max(MOST_SAME_LETTERS, letters[1]) or words[0] > max(MOST_SAME_WORDS, words[1]):
        yield "It repeats a letter or a word again and again."
    if _is_quoted(reply) and not _is_quoted(source):
        yield "It stands in quotes as a whole: write it without them."


@cache
def _is_disguised(sign: str) -> bool:
    """A presentation form of an Arabic letter, or a double of a sign that programs are made of."""
    kind, _, plain = unicodedata.decomposition(sign).partition(" ")
    if "\ufdf0" <= sign <= "\ufdff":  # honorifics are one sign each
        return False
    if kind in ("<isolated>", "<initial>", "<medial>", "<final>"):
        return True
    return kind in ("<wide>", "<small>") and chr(int(plain.split()[0], 16)) in _PROGRAM_SIGNS


def _mixed_words(text: str) -> set[str]:
    """Latin words with Cyrillic letters that look the same."""
    if text.isascii():
        return set()
    return {
        word
        for word in _WORD.findall(text)
        if not word.isascii() and {"LATIN", "CYRILLIC"} <= set(map(_script, word))
    }


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


def _has_astray_joiners(text: str) -> bool:
    found = len(_JOINERS.findall(text))
    return bool(_JOINERS_ASTRAY.search(text)) or found > max(3, MOST_JOINERS * sum(map(str.isalpha, text)))


def _combining(text: str) -> int:
    """The longest run of combining signs."""
    return max(
        (len(list(run)) for is_mark, run in groupby(text, key=_is_combining) if is_mark),
        default=0,
    )


@cache
def _is_combining(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Me")


def _words_in_a_row(text: str) -> int:
    return _most_in_a_row([found[0] for found in _WORD.finditer(text)])


def _most_in_a_row(parts: Sequence[str]) -> int:
    """Of equal ones that have letters."""
    return max((len(list(run)) for part, run in groupby(parts) if part.isalpha()), default=0)


def _is_quoted(text: str) -> bool:
    plain = text.strip()
    return len(plain) > 1 and _QUOTES.get(plain[0]) == plain[-1]
