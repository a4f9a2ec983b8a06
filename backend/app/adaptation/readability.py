"""How hard English prose is to read, as a school grade, and whether a beginner's text became easier.

The formula: Kincaid, Fishburne, Rogers and Chissom, "Derivation of new readability formulas for Navy enlisted
personnel", 1975: 0.39 words per sentence + 11.8 syllables per word - 15.59. Syllables are counted by rule.
"""

import re
from dataclasses import dataclass

from backend.app.adaptation.prose import WORD, sentences

EASY = 6.0
"""A text below this grade has only to stay below it."""
FEWEST_WORDS = 40
"""A text with fewer words is a caption or a definition: one word moves its grade by several."""
SHORT_TEXT_MAY_RISE = 1.0

_VOWELS = re.compile(r"[aeiouy]+")
_SILENT = re.compile(
    r"(?<=[^aeiouy])(?<![^aeiouy]l)e$|(?<=q)ue$|(?<=[^aeiouy])e(?=t(?:imes|hing)$)|(?<=[^aeiouytd])ed$"
    r"|(?<=[^aeiouyscxzg])(?<![^aeiouy]l)(?<!ch)(?<!sh)es$|(?<=[^aeiouyl])e(?=(?:ment|ly|ful|less|ness)s?$)"
)
_APART = re.compile(
    r"[aeiouy]ing|[aeiou]y[aeiou]|(?<![tscg])i[ao]|(?<![tscg])iu|i(?=ous)(?<![tscg]i)|(?<!p)eo(?!us)|(?<![qg])ua|uou"
    r"|(?:(?<![tc])|sc)ien(?=ce|t)|iet|rea(?=ct)|crea(?=t)|[rd]ea$|ism$"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`grade` is the Flesch-Kincaid grade; 0.0 when there are no words."""

    grade: float
    words: int


def measure(text: str) -> Reading:
    """Of the prose alone; `text` may hold marks."""
    found = sentences(text)
    words = [word for sentence in found for word in WORD.findall(sentence)]
    if not words:
        return Reading(0.0, 0)
    syllables = sum(count_syllables(word) for word in words)
    return Reading(0.39 * len(words) / len(found) + 11.8 * syllables / len(words) - 15.59, len(words))


def count_syllables(word: str) -> int:
    """By rule: groups of vowels, without a silent e, and one more where a group is spoken as two."""
    letters = word.casefold().replace("’", "'").split("'")[0]
    groups = len(_VOWELS.findall(letters)) + len(_APART.findall(letters)) - len(_SILENT.findall(letters))
    return max(1, groups)
