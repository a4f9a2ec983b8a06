"""How a word sounds, from its English or its Urdu spelling, and how alike two words sound. Pure.

A word is a sequence of sounds; a sound is the set of ways it may be spoken (`c` in "cell" or "call"). Urdu writes an
English word letter by letter as it is heard: t and d as ٹ and ڈ, long vowels always, short ones hardly ever. So a
native word, with its ت, خ or ق, is far from every English one.
"""

import re
from functools import lru_cache
from itertools import product

Sound = frozenset[str]

VOWELS = frozenset("aeiou")
_GLIDES = frozenset("vwyh")
_SILENT = "0"

# English spelling -> its sounds, each with the ways to speak it. The first rule that fits wins.
_ENGLISH = (
    (r"^kn|^gn", ("n",)),
    (r"^wr", ("r",)),
    (r"^ps", ("s",)),
    (r"^x", ("z",)),
    (r"mb$", ("m",)),
    (r"[ts]ion", ("SZC", "n")),
    (r"ssion", ("S", "n")),
    (r"cian|tian", ("S", "n")),
    (r"[ct]i(?=a|ou|en)", ("S",)),
    (r"ture", ("C", "r")),
    (r"sure", ("SZ", "r")),
    (r"tch", ("C",)),
    (r"sch", ("s", "k")),
    (r"sc(?=[eiy])", ("s",)),
    (r"cc(?=[eiy])", ("k", "s")),
    (r"ch", ("CkS",)),
    (r"sh", ("S",)),
    (r"ph", ("f",)),
    (r"th", ("T",)),
    (r"gh", ("gf0",)),
    (r"ck|cq", ("k",)),
    (r"que$", ("k",)),
    (r"qu", ("k", "w")),
    (r"gue$", ("g",)),
    (r"dge?(?=[eiy]|$)", ("J",)),
    (r"wh", ("wh",)),
    (r"x", ("k", "sz")),
    (r"c(?=[eiy])", ("s",)),
    (r"c", ("k",)),
    (r"g(?=[eiy])", ("gJ",)),
    (r"l(?=[km])", ("l0",)),
    (r"t(?=u)", ("tC",)),
    (r"d(?=u)", ("dJ",)),
    (r"^s", ("s",)),
    (r"s", ("sz",)),
    (r"z", ("z",)),
    (r"j", ("J",)),
    (r"q", ("k",)),
    (r"(?<![aeiou])y(?=[aeiou])", ("y",)),
    (r"(?<=[aeiou])w(?![aeiou])|(?<=[aeiou])y(?![aeiou])", ("",)),
    (r"(?<=.)e$", ("",)),
    (r"[aeiouy]+", ("*",)),
    (r"[bdfghklmnprtvw]", ("=",)),
)
_ENGLISH_RULE = re.compile("|".join(f"({pattern})" for pattern, _ in _ENGLISH))
_URDU: dict[str, str] = {
    "ا": "a", "آ": "a", "و": "vwou", "ی": "yie", "ے": "ie", "ہ": "h", "ئ": "iy0", "ء": "0", "ؤ": "ou",
    "ب": "b", "پ": "p", "ت": "þ", "ٹ": "t", "ج": "J", "چ": "C", "د": "ð", "ڈ": "d", "ر": "r", "ز": "z", "ژ": "Z",
    "س": "s", "ش": "S", "ف": "f", "ک": "k", "گ": "g", "ل": "l", "م": "m", "ن": "n",
}  # fmt: skip
"""The letters that English words are written with. ق خ غ ح ط ں and the aspirates are signs of a native word."""

_FINAL_H = re.compile("ہ$")  # a vowel: کیمرہ
_NEAR: dict[frozenset[str], float] = {
    frozenset(pair): cost
    for pair, cost in (
        ("tþ", 0.45),
        ("dð", 0.45),
        ("Tþ", 0.45),
        ("Tt", 0.2),
        ("Tð", 0.2),
        ("sz", 0.2),
        ("SZ", 0.2),
        ("ZJ", 0.2),
        ("SC", 0.3),
        ("CJ", 0.5),
        ("ae", 0.05),
        ("ai", 0.1),
        ("ao", 0.15),
        ("au", 0.1),
        ("ei", 0.0),
        ("ou", 0.0),
        ("eo", 0.5),
        ("io", 0.7),
        ("iu", 0.4),
        ("eu", 0.5),
        ("vw", 0.0),
        ("yi", 0.0),
    )
}
_OTHER = 1.0


@lru_cache(maxsize=50_000)
def english_sounds(word: str) -> tuple[Sound, ...]:
    """Of a lower-case ASCII word; other characters are silent."""
    word = re.sub(r"([^aeiou])\1", r"\1", word) if not re.search(r"ss?ion|cc[eiy]", word) else word
    sounds: list[Sound] = []
    at = 0
    while at < len(word):
        match, spoken = _rule(word, at)
        text = word[at : at + match]
        for alternatives in spoken:
            letters = text.replace("y", "i") if alternatives == "*" else text if alternatives == "=" else alternatives
            if letters:
                sounds.append(frozenset(letters))
        at += match
    return tuple(sounds)


@lru_cache(maxsize=20_000)
def urdu_sounds(word: str) -> tuple[Sound, ...] | None:
    """None when a letter of it never stands in an English word."""
    spelled = _FINAL_H.sub("a", word.replace("تھ", "T"))
    sounds = [frozenset(_URDU.get(letter, letter if letter in "Ta" else "")) for letter in spelled]
    return tuple(sounds) if all(sounds) else None


def keys(sounds: tuple[Sound, ...]) -> set[str]:
    """Coarse consonant skeletons, one for each way of speaking: equal for words that may be the same."""
    choices = [sorted({_COARSE.get(letter, letter) for letter in sound if letter not in _SOFT} | _soft(sound))
               for sound in sounds]  # fmt: skip
    ways = 1
    for position, choice in enumerate(choices):
        ways *= len(choice)
        if ways > _MOST_WAYS:
            choices[position] = choice[:1]
    return {_collapsed("".join(way)) for way in product(*choices)}


def distance(english: tuple[Sound, ...], other: tuple[Sound, ...], *, is_urdu: bool) -> float:
    """0.0 = they sound the same; a consonant that differs costs 1, a short vowel that Urdu leaves out next to
    nothing. A Roman spelling writes all of its vowels."""
    row = [0.0]
    for j in range(len(other)):
        row.append(row[-1] + _extra(other, j, is_urdu))
    for i, sound in enumerate(english):
        above, unwritten = row, _unwritten(english, i, is_urdu)
        row = [above[0] + unwritten]
        for j, written in enumerate(other):
            cost = _cost(sound, written)
            row.append(min(above[j] + cost, above[j + 1] + unwritten, row[j] + _extra(other, j, is_urdu)))
    return row[-1]


_SOFT = VOWELS | _GLIDES | {_SILENT}
_COARSE = {"z": "s", "Z": "S", "C": "S", "J": "S", "T": "t", "þ": "t", "ð": "d"}
_MOST_WAYS = 8


def _soft(sound: Sound) -> set[str]:
    return {""} if sound & _SOFT else set()


def _collapsed(consonants: str) -> str:
    return re.sub(r"(.)\1+", r"\1", consonants)


def _rule(word: str, at: int) -> tuple[int, tuple[str, ...]]:
    """How many letters are spoken together at a place, and as which sounds."""
    match = _ENGLISH_RULE.match(word, at)
    if match is None or not match.lastindex:
        return 1, ()
    return max(1, match.end() - at), _ENGLISH[match.lastindex - 1][1]


@lru_cache(maxsize=20_000)
def _cost(one: Sound, other: Sound) -> float:
    if one & other:
        return 0.0
    return min(_NEAR.get(frozenset((a, b)), _OTHER) for a in one for b in other)


def _unwritten(english: tuple[Sound, ...], at: int, is_urdu: bool) -> float:
    """An English sound that the other spelling leaves out. Urdu writes vowels at either end of a word."""
    sound = english[at]
    if _SILENT in sound:
        return 0.0
    if sound & VOWELS:
        if at in (0, len(english) - 1):
            return 1.0
        return (0.15 if len(sound) == 1 else 0.35) if is_urdu else 0.5
    return 0.25 if sound & _GLIDES else _OTHER


def _extra(other: tuple[Sound, ...], at: int, is_urdu: bool) -> float:
    """A written sound that the English word lacks. A vowel beside another one is only a longer vowel, and before
    s + consonant Urdu puts one: اسپیڈ."""
    sound = other[at]
    if _SILENT in sound:
        return 0.05
    if not sound & _SOFT:
        return _OTHER
    if at == 0 and "a" in sound and len(other) > 1 and "s" in other[1]:
        return 0.1
    if at == len(other) - 1:
        return 1.2
    if not is_urdu:
        return 0.5
    beside = (at > 0 and other[at - 1] & _SOFT) or (at + 1 < len(other) and other[at + 1] & _SOFT)
    return 0.15 if beside and not sound & {"h"} else 0.4


def consonants(sounds: tuple[Sound, ...]) -> int:
    """How many sounds are certainly consonants: what a likeness rests on."""
    return sum(not sound & _SOFT for sound in sounds)
