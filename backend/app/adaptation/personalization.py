"""Rewriting a chapter for readers of one level: what is asked of the model, and the proof that its text is the same
chapter with something added.

The rewritten prose is held to its source; what stands beside it, in labelled quotes (see `additions`), is held to
less, because an example may need numbers of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.app.adaptation import additions
from backend.app.adaptation.checks import common_problems
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.prose import count_words
from backend.app.adaptation.requests import Wish, piece_request
from backend.app.models.adaptation import Change, Personalize, Piece
from backend.app.models.domain import Hardware, Level
from backend.app.prompts import load_prompt
from backend.app.textbook.masking import MaskedText

PROMPT = "personalize"
RULES_VERSION = "1"
"""To be raised with any change of the rules by which a text is accepted."""
TOKENS_PER_WORD = 3.2  # 1.8 of English prose, for a text of 1.6 times the words and its added blocks


@dataclass(frozen=True, slots=True)
class Length:
    """Words of a whole text against those of its source: `most * source + spare`."""

    most: float
    spare: int


LEAST_OF_SOURCE = 0.7
LENGTHS: Mapping[Level, Length] = {
    "beginner": Length(1.6, 90),
    "intermediate": Length(1.5, 60),
    "advanced": Length(1.2, 0),
}


@dataclass(frozen=True)
class PersonalizationTask:
    """For one level and hardware. `glossary`: the terms that every text keeps (its glosses are not used)."""

    level: Level
    hardware: Hardware
    glossary: Glossary

    @property
    def target(self) -> Personalize:
        return Personalize(self.level, self.hardware)

    @property
    def prompt(self) -> str:
        return PROMPT

    @property
    def version(self) -> str:
        return f"{load_prompt(PROMPT).version}-{self.glossary.version}-{RULES_VERSION}"

    def prepare(self, content: str) -> str:
        return content

    def request(self, model: str, piece: Piece, masked: MaskedText) -> dict[str, Any]:
        terms = "\n".join(self.glossary.terms_in(masked.text))
        notes = (
            ("level", self.level),
            ("hardware", self.hardware),
            ("length", self._length(masked)),
            ("terms", terms),
        )
        return piece_request(model, Wish(PROMPT, notes, TOKENS_PER_WORD), piece, masked)

    def problems(self, piece: Piece, masked: MaskedText, reply: str) -> list[str]:
        parted = additions.part(masked.text, reply)
        return [
            *common_problems(piece, masked, parted.core),
            *additions.problems(masked.text, parted, self.level),
        ]

    def finisher(self, title: str) -> "PersonalizedChapter":
        return PersonalizedChapter(title)

    def _length(self, masked: MaskedText) -> str:
        words = count_words(masked.text)
        most, blocks = _most_words(self.level, words), additions.most_additions(masked.text)
        return f"the piece has {words} words; write at most {most}, with at most {blocks} blocks"


@dataclass(slots=True)
class PersonalizedChapter:
    """Puts a rewritten chapter together and reads off what it says beside its source."""

    title: str
    changes: list[Change] = field(default_factory=list[Change])
    _section: str = ""

    def add(self, piece: Piece, adapted: str) -> str:
        section = piece.heading_path[-1] if piece.heading_path else self.title
        self.changes.extend(
            Change(addition.heading or section, addition.label.lower(), additions.first_sentence(addition))
            for addition in additions.part(piece.text, adapted).additions
        )
        return "" if piece.role == "title" else adapted


def _most_words(level: Level, source_words: int) -> int:
    length = LENGTHS[level]
    return int(length.most * source_words) + length.spare
