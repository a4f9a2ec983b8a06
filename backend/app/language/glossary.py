"""Urdu and Roman Urdu words -> English ones: a dictionary of the words that any textbook is asked with.

`dictionary.tsv`: Urdu forms, Roman forms, English meanings, the most usual first. `function_words.tsv`: words that
build a sentence and say nothing about its subject. Plurals, cases, genders and verb forms are rules, not entries.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from backend.app.language.spelling import fold, is_urdu_script, normal, skeleton

LONGEST_ENTRY = 3
"""Words of the longest entry, as in `قدم بہ قدم`."""

# an ending -> what stands there in the dictionary; longer endings first
_URDU_NOUNS = (
    ("یاں", ("ی",)),
    ("یوں", ("ی",)),
    ("ؤں", ("ا", "")),
    ("وں", ("", "ا", "ہ")),
    ("ئیں", ("ا", "")),
    ("یں", ("", "ہ")),
    ("ات", ("", "ہ")),
    ("ے", ("ا", "ہ")),
    ("ی", ("ا", "")),
)
_URDU_VERBS = """
    تا تی تے تیں نے نی نوں یا ئی ئے ئیں ئیے یے یئے ؤ ؤں کر ا ی ے یں و وں ونگا ونگی یگا یگی یںگے"""
_ROMAN_NOUNS = (
    ("iyaan", ("i",)),
    ("iyan", ("i",)),
    ("iyon", ("i",)),
    ("ion", ("i",)),
    ("oon", ("", "a")),
    ("oun", ("", "a")),
    ("on", ("", "a")),
    ("ein", ("", "a")),
    ("ain", ("", "a")),
    ("een", ("",)),
    ("en", ("", "a")),
    ("aat", ("", "a")),
    ("at", ("", "a")),
    ("ay", ("a",)),
    ("ey", ("a",)),
    ("e", ("a", "")),
    ("y", ("a", "i")),
    ("ee", ("a",)),
    ("i", ("a", "")),
)
_ROMAN_VERBS = """
    tein ten ta te ty ti tee ne nay ny ni ya yi ye yen yein iye iay ein ain en oon on un ay tay kar ke ker
    ega egi enge unga ungi oge aega ayega a e i o y"""
_SHORTEST_STEM = 2
_urdu_verbs = (*_URDU_VERBS.split(), "")
_roman_verbs = (*_ROMAN_VERBS.split(), "")


@dataclass(frozen=True, slots=True)
class Entry:
    """`meanings` are English, the most usual first; empty for a function word."""

    urdu: tuple[str, ...]
    roman: tuple[str, ...]
    meanings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Index:
    exact: dict[str, Entry]
    folded: dict[str, list[Entry]]
    skeletons: dict[str, list[Entry]]


def find_exact(phrase: str) -> Entry | None:
    """A word, or words with single spaces between them, as they stand in the dictionary."""
    return _index().exact.get(phrase)


def find_inflected(word: str) -> Entry | None:
    """A word in another form or spelling than the dictionary's."""
    return _urdu_entry(word) if is_urdu_script(word) else _roman_entry(word)


def is_function_word(word: str) -> bool:
    """In either script, in `normal` spelling; also another form of a verb that only helps: `karega`, `سکوں`."""
    if word in FUNCTION_WORDS:
        return True
    if is_urdu_script(word):
        return any(verb in FUNCTION_WORDS for verb in _infinitives(word, _urdu_verbs, "نا"))
    return any(verb in FUNCTION_WORDS for verb in _infinitives(word, _roman_verbs, "na"))


def _urdu_entry(word: str) -> Entry | None:
    exact = _index().exact
    forms = [*_bases(word, _URDU_NOUNS), *_infinitives(word, _urdu_verbs, "نا")]
    return next((exact[form] for form in forms if form in exact), None)


def _roman_entry(word: str) -> Entry | None:
    index = _index()
    forms = [word, *_bases(word, _ROMAN_NOUNS), *_infinitives(word, _roman_verbs, "na")]
    if found := next((index.exact[form] for form in forms if form in index.exact), None):
        return found
    for form in forms:
        if found := _closest(form, index.folded.get(fold(form), [])):
            return found
    return next(
        filter(None, (_abbreviated(form, index) for form in (*_infinitives(word, _roman_verbs, "na"), word))), None
    )


def _abbreviated(word: str, index: _Index) -> Entry | None:
    """`mtlb`, `smjhna`: no vowel is left but the last. The shortest word with these consonants."""
    bones = skeleton(word)
    if len(bones) <= 2 or bones != fold(word).rstrip("aiu"):
        return None
    return min(
        index.skeletons.get(bones, []),
        key=lambda entry: min(len(fold(roman)) for roman in entry.roman),
        default=None,
    )


def _closest(form: str, entries: list[Entry]) -> Entry | None:
    def distance(entry: Entry) -> int:
        return min(abs(len(form) - len(roman)) for roman in entry.roman if fold(roman) == fold(form))

    return min(entries, key=distance, default=None)


def _bases(word: str, rules: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    for ending, bases in rules:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            yield from (word[: -len(ending)] + base for base in bases)


def _infinitives(word: str, endings: Iterable[str], infinitive: str) -> Iterator[str]:
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            yield word[: len(word) - len(ending)] + infinitive


def _read(name: str) -> Iterator[list[str]]:
    text = files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")
    return (line.split("\t") for line in text.splitlines())


@cache
def _index() -> _Index:
    """Read once, at the first question that is not English: ~30 ms."""
    index = _Index({}, {}, {})
    for columns in _read("dictionary.tsv"):
        entry = Entry(*(tuple(map(_spelled, column.split(","))) for column in columns))
        for form in (*entry.urdu, *entry.roman):
            index.exact.setdefault(form, entry)
        for key in dict.fromkeys(map(fold, entry.roman)):
            index.folded.setdefault(key, []).append(entry)
        for key in dict.fromkeys(map(skeleton, entry.roman)):
            index.skeletons.setdefault(key, []).append(entry)
    return index


def _spelled(form: str) -> str:
    return normal(form).strip()


def _function_words() -> frozenset[str]:
    return frozenset(
        _spelled(form) for columns in _read("function_words.tsv") for form in ",".join(columns).split(",")
    )


FUNCTION_WORDS: frozenset[str] = _function_words()
"""In both scripts: an English book holds none of them because of its subject."""
