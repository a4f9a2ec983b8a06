"""Translating a chapter: what is asked for each piece, what is accepted, and how the pieces become a chapter.

Accepted is only what keeps the whole structure, every mark, number and glossary term, and is in the language.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.app.adaptation import checks
from backend.app.adaptation.finishing import TranslationFinisher
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.languages import LANGUAGES, Language
from backend.app.adaptation.numerals import block_number_problems
from backend.app.adaptation.omissions import omissions
from backend.app.adaptation.requests import Wish, piece_request
from backend.app.adaptation.rules import version_of
from backend.app.adaptation.units import unit_problems
from backend.app.adaptation.wording import Wording
from backend.app.models.adaptation import Piece, TargetLanguage, Translate
from backend.app.textbook.masking import MARK, MaskedText
from backend.app.textbook.pinning import name_definitions, pin_headings
from backend.app.textbook.structure import differences

PROMPT = "translate"
MOST_FOREIGN_TERMS = 2
"""Glossary terms that a reply may have beside its source's: for a pronoun, say."""
MOST_FOREIGN_WORDS = 3
STEM = 4
_LATIN_WORD = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True)
class TranslationTask:
    """Into one language. `glossary`: the terms that stay in English."""

    language: TargetLanguage
    glossary: Glossary

    @property
    def target(self) -> Translate:
        return Translate(self.language)

    @property
    def prompt(self) -> str:
        return PROMPT

    @property
    def version(self) -> str:
        return version_of(PROMPT, self.glossary)

    def prepare(self, content: str) -> str:
        return name_definitions(pin_headings(content))

    def adapts(self, piece: Piece, masked: MaskedText) -> bool:  # noqa: ARG002
        return masked.words > 0

    def request(self, model: str, piece: Piece, masked: MaskedText) -> dict[str, Any]:
        notes = (("language", self._spoken.described), ("terms", "\n".join(self.glossary.terms_in(masked.text))))
        return piece_request(model, Wish(PROMPT, notes, self._spoken.tokens_per_word), piece, masked)

    def problems(self, piece: Piece, masked: MaskedText, reply: str) -> list[str]:
        source = masked.text
        found = [*checks.common_problems(piece, masked, reply), *differences(source, reply)]
        if found:
            return found
        pairs = checks.paired_blocks(source, reply)
        comma = self._spoken.comma_is_decimal
        return [
            *(problem for pair in pairs for problem in block_number_problems(pair.source, pair.reply, comma)),
            *(problem for pair in pairs for problem in unit_problems(pair.source, pair.reply)),
            *self._wording.problems(pairs),
            *self._term_problems(piece, source, reply),
            *checks.length_problems(pairs),
            *checks.broken_off(pairs),
            *checks.said_twice(pairs),
            *omissions(pairs),
        ]

    def finisher(self, title: str) -> TranslationFinisher:
        return TranslationFinisher(title, self._spoken, self.glossary)

    @property
    def _spoken(self) -> Language:
        return LANGUAGES[self.language]

    @cached_property
    def _wording(self) -> Wording:
        return Wording(self._spoken, self.glossary)

    def _term_problems(self, piece: Piece, source: str, reply: str) -> Iterator[str]:
        terms, found = self.glossary.terms_in(source), self.glossary.terms_in(reply)
        for term in terms:
            if term not in found and not _is_part_of(term, found):
                yield f"The term {term!r} has to stay in English."
        known = " ".join((source, *piece.heading_path))
        stems = _stems(known)
        foreign = {term for term in found if not _stems(term) <= stems} - set(self.glossary.terms_in(known))
        if len(foreign) > MOST_FOREIGN_TERMS or self._has_foreign_words(known, reply):
            yield "It speaks of other things than the piece: translate the text of the piece."

    def _has_foreign_words(self, known: str, reply: str) -> bool:
        """Whether many of the Latin words are none of the source's. Spelling and endings may differ."""
        if self._spoken.script == "Latn":
            return False
        stems = _stems(known)
        words = {word.lower() for word in _LATIN_WORD.findall(MARK.sub(" ", reply))}
        foreign = [word for word in words if word[:STEM] not in stems]
        return len(foreign) > MOST_FOREIGN_WORDS and len(foreign) > len(words) / 4


def _stems(text: str) -> set[str]:
    """Of Latin words: to calibrate, calibration."""
    return {word[:STEM].lower() for word in _LATIN_WORD.findall(text)}


def _is_part_of(term: str, longer: Sequence[str]) -> bool:
    """The arm of a robot may become a robot arm, which is another term."""
    return any(f" {term} " in f" {each} ".replace("-", " ") for each in longer)
