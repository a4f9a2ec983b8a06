"""How hard English prose is to read, as a school grade, and whether a beginner's text became easier.

The formula: Kincaid, Fishburne, Rogers and Chissom, "Derivation of new readability formulas for Navy enlisted
personnel", 1975: 0.39 words per sentence + 11.8 syllables per word - 15.59. Syllables are counted by rule.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from backend.app.adaptation.prose import WORD, sentences

EASY = 5.0
"""A source below this grade is easy already: the text has only to stay below it too."""
FEWEST_WORDS = 40
"""The same for a source with fewer words in whole sentences: captions, lists of topics."""

_ENDED = re.compile(r"[.!?…][\"'”’)\]]*$")
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
    """`grade` is the Flesch-Kincaid grade, 0.0 when there are no words; `words` counts those of whole sentences."""

    grade: float
    words: int


def measure(text: str) -> Reading:
    """Of the prose alone; `text` may hold marks."""
    spoken = [(WORD.findall(sentence), _ENDED.search(sentence) is not None) for sentence in sentences(text)]
    words = [word for parts, _ in spoken for word in parts]
    if not words:
        return Reading(0.0, 0)
    syllables = sum(count_syllables(word) for word in words)
    grade = 0.39 * len(words) / len(spoken) + 11.8 * syllables / len(words) - 15.59
    return Reading(grade, sum(len(parts) for parts, is_whole in spoken if is_whole))


def count_syllables(word: str) -> int:
    """By rule: groups of vowels, without a silent e, and one more where a group is spoken as two."""
    letters = word.casefold().replace("’", "'").split("'")[0]
    groups = len(_VOWELS.findall(letters)) + len(_APART.findall(letters)) - len(_SILENT.findall(letters))
    return max(1, groups)


def not_easier(source: str, texts: Mapping[str, str]) -> list[str]:
    """What a beginner's text has to be told. `texts`: name -> text that has to be easier than the source."""
    before = measure(source)
    is_small = before.words < FEWEST_WORDS or before.grade <= EASY
    found: list[str] = []
    for name, text in texts.items():
        grade = measure(text).grade
        if grade > max(before.grade, EASY) if is_small else grade >= before.grade:
            found.append(f"Use shorter sentences and simpler words: {name} has grade {grade:.1f}, the source "
                         f"{before.grade:.1f} (Flesch-Kincaid).")  # fmt: skip
    return found
