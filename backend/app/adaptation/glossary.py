"""Technical terms that stay in English, and their glosses: which of them stand in a text, and where.

A file has one term on a line: `term<TAB>gloss[<TAB>language]`; without a language it is Urdu. A word of a term that
has a capital letter matches as it is written ("ROS"), every other word in any case; the last word also as a plural.
The longest term wins. Knows nothing of models.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

from backend.app.adaptation.languages import DEFAULT_LANGUAGE, LANGUAGES, Language, find_language
from backend.app.errors import ConfigurationError
from backend.app.models.adaptation import TargetLanguage

LONGEST = 80
"""Characters of a term or a gloss."""
_MARK = re.compile(r"⟦[^⟦⟧\n]{1,40}⟧")
_WORD = re.compile(r"[^\W_]+")
_FORBIDDEN = re.compile(r"[<>{}\[\]⟦⟧|`$\\*_#()]|[\u202a-\u202e\u2066-\u2069]")
_GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*|-)"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`term` as the glossary spells it, at [start, end) of the text."""

    term: str
    start: int
    end: int


@dataclass(frozen=True)
class Glossary:
    """The terms of one language. `glosses`: term -> how the language says it."""

    glosses: Mapping[str, str]

    def find(self, text: str) -> list[Occurrence]:
        """Every term in the text, in order; none overlap, and marks are no text."""
        plain = _MARK.sub(lambda mark: " " * len(mark[0]), text)
        found: list[Occurrence] = []
        for word in _WORD.finditer(plain):
            if not found or word.start() >= found[-1].end:
                found.extend(self._longest_at(plain, word))
        return found

    def terms_in(self, text: str) -> list[str]:
        """The terms of the text, each once, in the order of their first use."""
        return list(dict.fromkeys(found.term for found in self.find(text)))

    @cached_property
    def version(self) -> str:
        """12 hex digits of its content."""
        lines = "\n".join(f"{term}\t{gloss}" for term, gloss in sorted(self.glosses.items()))
        return hashlib.sha256(lines.encode()).hexdigest()[:12]

    def _longest_at(self, plain: str, word: re.Match[str]) -> Iterator[Occurrence]:
        """The term that begins with this word, if any."""
        known = [entry for form in _singular(word[0].lower()) for entry in self._by_first_word.get(form, ())]
        for term, pattern in sorted(known, key=lambda entry: -len(entry[0])):
            if match := pattern.match(plain, word.start()):
                yield Occurrence(term, match.start(), match.end())
                return

    @cached_property
    def _by_first_word(self) -> Mapping[str, Sequence[tuple[str, re.Pattern[str]]]]:
        entries: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
        for term in self.glosses:
            first = _WORD.match(term)
            assert first
            entries.setdefault(first[0].lower(), []).append((term, _term_pattern(term)))
        return entries


def load_glossary(language: TargetLanguage, own_file: Path | None = None) -> Glossary:
    """Ours, and the owner's own lines, which win. Raises ConfigurationError, which names every bad line."""
    own: Mapping[str, str] = _read_own(own_file).get(language, {}) if own_file else {}
    replaced = {_same_term(term) for term in own}
    ours = {term: gloss for term, gloss in _ours().get(language, {}).items() if _same_term(term) not in replaced}
    return Glossary({**ours, **own})


def _same_term(term: str) -> str:
    return term.casefold().replace("-", " ")


@cache
def _ours() -> Mapping[TargetLanguage, Mapping[str, str]]:
    text = files("backend.app.prompts").joinpath("glossary_ur.tsv").read_text(encoding="utf-8")
    glosses, problems = read_lines(text.splitlines(), "glossary_ur.tsv")
    assert not problems, problems
    return glosses


def _read_own(path: Path) -> Mapping[TargetLanguage, Mapping[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"TRANSLATION_GLOSSARY_FILE: {path} cannot be read ({error})."]) from None
    glosses, problems = read_lines(lines, "TRANSLATION_GLOSSARY_FILE")
    if problems:
        raise ConfigurationError(problems)
    return glosses


def read_lines(lines: Iterable[str], name: str) -> tuple[dict[TargetLanguage, dict[str, str]], list[str]]:
    """The glosses by language, and what is wrong with which line. Empty lines and those that begin with # are
    skipped."""
    glosses: dict[TargetLanguage, dict[str, str]] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        term, gloss, code = (*(field.strip() for field in line.split("\t")), "", "")[:3]
        language = find_language(code or DEFAULT_LANGUAGE)
        wrong = _wrong_line(line, term, gloss, language)
        if wrong or language is None:
            problems.append(f"{name}: line {number}: {wrong}")
        elif term in glosses.setdefault(language.code, {}):
            problems.append(f"{name}: line {number}: the term {term!r} stands there twice.")
        else:
            glosses[language.code][term] = gloss
    return glosses, problems


def _wrong_line(line: str, term: str, gloss: str, language: Language | None) -> str:
    if not 2 <= len(line.split("\t")) <= 3 or not term or not gloss:
        return "it has to be term<TAB>gloss or term<TAB>gloss<TAB>language."
    if language is None:
        return f"the language has to be one of {', '.join(LANGUAGES)}."
    if max(len(term), len(gloss)) > LONGEST:
        return f"term and gloss may have {LONGEST} characters."
    if _FORBIDDEN.search(term + gloss) or not (re.search(r"[A-Za-z]", term) and _WORD.match(term)):
        return "a term has Latin letters and begins with one or a digit; it and its gloss have no brackets or markup."
    return ""


def _singular(word: str) -> Iterator[str]:
    yield word
    yield from (word[: -len(ending)] for ending in ("s", "es") if word.endswith(ending))


def _term_pattern(term: str) -> re.Pattern[str]:
    words = _GAP.join(_word_pattern(word) for word in re.split(r"[ -]", term))
    return re.compile(rf"(?<![\w@/-])(?<!\w\.){words}(?:e?s)?(?![\w@/-])(?!\.\w)")


def _word_pattern(word: str) -> str:
    return re.escape(word) if word != word.lower() else f"(?i:{re.escape(word)})"
