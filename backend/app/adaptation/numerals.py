"""Which numbers a text says, however a language writes them, and which of them a reply lost or made up.

A number is what its digits and signs say: 16,384 is 16 384 in French and ١٦٬٣٨٤ in Arabic. Marks, list markers and
what is spelled out say none. Digits stay digits: a reply that spells a number out has lost it, because a word could
hide another number; only ordinals (1st) may become words, and words of the source (two, twentieth) and its
Roman numerals (Part II) may become digits.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from backend.app.textbook.masking import MARK

MOST_TOLD = 8
_LIST_MARKER = re.compile(r"^([ \t>]*(?:[-*+][ \t]+)*)\d{1,9}[.)](?=[ \t])", re.MULTILINE)
_DIGIT = re.compile(r"(?![0-9])\d")
_SPACE = "[ \u00a0\u2009\u202f]"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![^\s(\[\"'“‘=≈~±×:|*_/،,])-)?(?P<digits>\d{{1,3}}(?:{_SPACE}\d{{3}})+(?![\d])(?:[.,]\d+)?|\d+(?:[.,]\d+)*)"
    r"(?P<ordinal>(?:st|nd|rd|th)\b)?"
)
_MINUS = re.compile(r"(?<!\w)(?:minus|negative|منفی|سالب|ناقص|ऋण|माइनस|menos|moins)\s+(?=\d)", re.IGNORECASE)
_BARE_POINT = re.compile(r"(?<![\w.])\.(?=\d)")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
_COMMA_DECIMAL = re.compile(r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?")
_WORD = re.compile(r"[a-z]+")
_ROMAN = re.compile(
    r"\b(?:[Pp]arts?|[Cc]hapters?|[Vv]olumes?|[Tt]ypes?|[Ll]evels?|[Pp]hases?) ([IVX]{1,5})\b|\b([IVX]{2,5})\b"
)
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10}
_SIGNS = str.maketrans({"٫": ".", "٬": ",", "٪": "%", "−": "-", "‐": "-", "‑": "-", "–": "-", "⁠": None})
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
    fifteenth sixteenth seventeenth eighteenth nineteenth"""
_DECADE_ORDINALS = "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"
_OTHERS = {
    "once": "1",
    "single": "1",
    "twice": "2",
    "both": "2",
    "double": "2",
    "pair": "2",
    "square": "2",
    "squared": "2",
    "triple": "3",
    "cubic": "3",
    "cubed": "3",
    "dozen": "12",
}
_UNITS, _TENS = _ONES.split(), _DECADES.split()
_POWERS = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_WORDS = {
    **{word: str(n) for n, word in enumerate(_UNITS)},
    **{word: str(n * 10) for n, word in enumerate(_TENS, 2)},
    **{word: str(n) for n, word in enumerate(_ORDINALS.split(), 1)},
    **{word: str(n * 10) for n, word in enumerate(_DECADE_ORDINALS.split(), 2)},
    **{f"{word[:-1]}ies": str(n * 10) for n, word in enumerate(_TENS, 2)},
    **{f"{word}fold": str(n) for n, word in enumerate(_UNITS)},
    **{word: str(number) for word, number in _POWERS.items()},
    **{f"{word}fold": str(number) for word, number in _POWERS.items()},
    **_OTHERS,
}
Reading = tuple[str, ...]


def number_problems(source: str, reply: str, *, comma_is_decimal: bool = False) -> list[str]:
    """What is wrong with the numbers of a masked reply to a masked English source. `comma_is_decimal`: the language
    may write 0,5 for 0.5 and 16.384 for 16,384."""
    bare = [_LIST_MARKER.sub(r"\1", text) for text in (source, reply)]
    return block_number_problems(bare[0], bare[1], comma_is_decimal)


def block_number_problems(source: str, reply: str, comma_is_decimal: bool = False) -> list[str]:
    """The same for one block, whose text has no list marker: the number that a heading begins with counts."""
    needed, may = _needed(source)
    invented: list[str] = []
    found = [(written, list(_readings(written, comma_is_decimal))) for written in _written(reply)]
    for written, readings in sorted(found, key=lambda each: len(each[1])):
        if not (_take(readings, needed) or _take(readings, may)):
            invented.append(written)
    lost = list(needed.elements())
    return [
        *(f"The number {number} is missing: it stays in digits." for number in lost[:MOST_TOLD]),
        *(f"The number {number} is not in the piece, or not as often." for number in invented[:MOST_TOLD]),
    ]


def western(text: str) -> str:
    """The text with the digits 0-9 and ASCII signs for those of every script."""
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text).translate(_SIGNS)


def _plain(text: str) -> str:
    digits = re.sub(r"(?<=\d)،(?=\d)", ",", western(MARK.sub("⟧", text)))
    return _BARE_POINT.sub("0.", _MINUS.sub("-", digits))


def _needed(source: str) -> tuple[Counter[str], Counter[str]]:
    """The numbers that have to be found again, and those that may."""
    plain = _plain(source)
    needed, may = Counter[str](), Counter([*_spelled_out(plain), *_roman(source)])
    for match in _NUMBER.finditer(plain.replace(" ", "  ")):  # a plain space parts two numbers of English
        reading = next(_readings((match["sign"] or "") + match["digits"], False))
        (may if match["ordinal"] else needed).update(reading)
    return needed, may


def _written(reply: str) -> list[str]:
    return [(match["sign"] or "") + match["digits"] for match in _NUMBER.finditer(_plain(reply))]


def _roman(text: str) -> Iterator[str]:
    """Part II may become part 2."""
    for match in _ROMAN.finditer(text):
        digits = [_ROMAN_DIGITS[letter] for letter in match[1] or match[2]]
        yield str(sum(-one if one < following else one for one, following in pairwise([*digits, 0])))


def _spelled_out(plain: str) -> Iterator[str]:
    words = _WORD.findall(plain.lower())
    yield from (_WORDS[word] for word in words if word in _WORDS)
    for word, following in pairwise(words):
        if word in _TENS and following in _UNITS[1:10]:
            yield str(int(_WORDS[word]) + int(_WORDS[following]))
        elif word in _WORDS and following in _POWERS:
            yield str(int(_WORDS[word]) * _POWERS[following])


def _readings(written: str, comma_is_decimal: bool) -> Iterator[Reading]:
    """What a number may mean, the most likely first; more than one number when its signs only separate."""
    sign, digits = ("-", written[1:]) if written.startswith("-") else ("", written)
    joined = re.sub(_SPACE, "", digits)
    yield _with_sign(sign, _english(joined))
    if comma_is_decimal and _COMMA_DECIMAL.fullmatch(joined):
        yield _with_sign(sign, (joined.replace(".", "").replace(",", "."),))
    if joined != digits:
        yield _with_sign(sign, tuple(part for group in re.split(_SPACE, digits) for part in _english(group)))


def _english(digits: str) -> Reading:
    return (digits.replace(",", ""),) if _THOUSANDS.fullmatch(digits) else tuple(digits.split(","))


def _with_sign(sign: str, reading: Reading) -> Reading:
    return (sign + reading[0], *reading[1:])


def _take(readings: list[Reading], numbers: Counter[str]) -> bool:
    """Whether one of the readings is there; if so it is used up."""
    for reading in readings:
        wanted = Counter(reading)
        if wanted <= numbers:
            numbers.subtract(wanted)
            return True
    return False
