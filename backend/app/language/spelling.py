"""One spelling for each word: Urdu letters without their variants, Roman Urdu without its freedom. Pure.

Roman Urdu has no orthography: the same word is written kaise, kaisay, kese or kesy, raftaar or raftar. Two foldings
let a dictionary hold one of them: `fold` keeps three kinds of vowels, `skeleton` none.
"""

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans(
    {"ي": "ی", "ى": "ی", "ئ": "ئ", "ك": "ک", "ة": "ہ", "ه": "ہ", "ۃ": "ہ", "أ": "ا", "إ": "ا", "ٱ": "ا", "ـ": None}
)
_TOKEN = re.compile(r"[؀-ۿݐ-ݿﭐ-﷿ﹰ-﻿]+|[^\W_]+(?:[-'’.+*#][^\W_]+)*[+*#]*")
_URDU = re.compile(r"[؀-ۿݐ-ݿ]")
_URDU_PUNCTUATION = re.compile("[،؛؟۔٪٫٬٭؀-؅]")
_VOWELS = (
    (re.compile(r"a+h\b|aa+"), "a"),
    (re.compile(r"e[ey]+|i[iy]+|ai|ay|ei|ey|ie"), "i"),
    (re.compile(r"o[ou]+|u[uo]+|au|ou|aw"), "u"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"c+h"), "ch"),
    (re.compile(r"ck|q|c(?!h)"), "k"),
    (re.compile(r"x"), "ks"),
    (re.compile(r"zh"), "z"),
    (re.compile(r"w"), "v"),
    (re.compile(r"[ey]"), "i"),
    (re.compile(r"o"), "u"),
    (re.compile(r"(.)\1+"), r"\1"),
    (re.compile(r"(?<=[aiu])h\b"), ""),
)


def normal(text: str) -> str:
    """Lower case, one code point for each Urdu letter, no vowel signs, no invisible joiners. NFKC: one character
    may become eighteen."""
    composed = unicodedata.normalize("NFKC", text)
    kept = (c for c in composed if not (unicodedata.combining(c) or unicodedata.category(c) == "Cf"))
    return _URDU_PUNCTUATION.sub(" ", "".join(kept).translate(_LETTERS)).lower()


def tokens(text: str) -> list[str]:
    """The words of a text in `normal` spelling; a hyphen or dot inside a word stays."""
    return _TOKEN.findall(normal(text))


def is_urdu_script(word: str) -> bool:
    """Whether it holds a letter of the Arabic script."""
    return _URDU.search(word) is not None


@lru_cache(maxsize=20_000)
def fold(roman: str) -> str:
    """`raftaar` and `raftar`, `seekhna` and `sikhna` become one; vowels are a, i or u."""
    for pattern, replacement in _VOWELS:
        roman = pattern.sub(replacement, roman)
    return roman


@lru_cache(maxsize=20_000)
def skeleton(roman: str) -> str:
    """Consonants only, for those who leave vowels out: `krna`, `smjhao`. A vowel at the beginning stays."""
    folded = fold(roman)
    return folded[:1] + re.sub("[aiu]", "", folded[1:])
