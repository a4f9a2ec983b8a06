"""Rewriting a chapter for readers of one level: what is asked of the model, and the proof that its text is the same
chapter with something added.

The rewritten prose is held to its source; what stands beside it, in labelled quotes (see `additions`), is held to
less, because an example may need numbers of its own.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.app.adaptation import additions, fidelity
from backend.app.adaptation.checks import common_problems, size_of
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.prose import paragraphs
from backend.app.adaptation.readability import measure, not_easier
from backend.app.adaptation.references import invented_references
from backend.app.adaptation.requests import Wish, piece_request
from backend.app.adaptation.rules import version_of
from backend.app.adaptation.telltales import telltales
from backend.app.models.adaptation import Change, Personalize, Piece
from backend.app.models.domain import Hardware, Level
from backend.app.textbook.masking import MaskedText, count_words, mask
from backend.app.textbook.pinning import name_definitions
from backend.app.textbook.sectioning import heading_words

PROMPT = "personalize"
TOKENS_PER_WORD = 3.2  # 1.8 of English prose, for a text of 1.6 times the words and its added blocks


@dataclass(frozen=True, slots=True)
class Length:
    """Words of a whole text: at most `most` times those of its source and `spare`. `adds_from`: words of a source
    from which something has to be added."""

    most: float
    spare: int
    adds_from: int


LENGTHS: Mapping[Level, Length] = {
    "beginner": Length(1.6, 90, 100),
    "intermediate": Length(1.5, 60, 100),
    "advanced": Length(1.2, 0, 150),
}
LEAST_OF_SOURCE = 0.6
TOLD = 0.95
"""Share of the length allowed that the model is told: it does not count exactly."""
CHANGES_FROM = 40
"""Words in whole sentences of a source from which a reply that only repeats it is none."""
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_GREAT_NUMBER = re.compile(
    r"\b(?:(?:eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)\b"
    r"|(?:hundred|thousand|million|billion|trillion)\b)",
    re.IGNORECASE,
)
_DIMENSIONS = re.compile(r"\b[1-9]D\b")
_REMARK = re.compile(
    r"\bas an? (?:\w+ ){0,2}(?:beginner|novice)\b|\byou(?:['’]re| are) (?:\w+ ){0,3}(?:beginner|novice)\b|"
    r"\bfor (?:absolute |complete )?beginners\b|\b(?:beginner|intermediate|advanced)[- ](?:level|readers?|version)\b"
    r"|\bI(?:['’](?:m|ve|ll|d)| (?:am|have|will|can|hope|did|kept|added|changed|made|wrote|rewrote|simplified))\b"
    r"|\blet me know\b|\bhope (?:this|that|it) helps\b",
    re.IGNORECASE,
)


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
        return version_of(PROMPT, self.glossary)

    def prepare(self, content: str) -> str:
        """Headings keep their words, and so their anchors."""
        return name_definitions(content)

    def adapts(self, piece: Piece, masked: MaskedText) -> bool:
        """Headings and tables alone stay word for word."""
        return piece.role != "title" and bool(paragraphs(masked.text))

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
        source = masked.text
        parted = additions.part(source, reply)
        found = [
            *common_problems(piece, masked, parted.core),
            *fidelity.problems(source, parted.core, self.glossary),
            *additions.problems(source, parted, self.level),
            *telltales(source, "\n\n".join(addition.text for addition in parted.additions)),
            *_invented(piece.text, parted, reply, self.glossary),
            *_foreign_letters(source, reply),
            *self._length_problems(source, parted, reply),
            *self._hard_to_read(source, parted, reply),
        ]
        return list(dict.fromkeys(found))

    def finisher(self, title: str) -> "PersonalizedChapter":
        return PersonalizedChapter(title)

    def _length(self, masked: MaskedText) -> str:
        words = count_words(masked.text)
        most, blocks = int(TOLD * self._most(words)), additions.most_additions(masked.text)
        return f"the piece has {words} words; write at most {most}, with at most {blocks} blocks"

    def _most(self, words: int) -> int:
        length = LENGTHS[self.level]
        return int(length.most * words) + length.spare

    def _length_problems(self, source: str, parted: additions.Parted, reply: str) -> Iterator[str]:
        words, core, whole = (count_words(text) for text in (source, parted.core, reply))
        if core < LEAST_OF_SOURCE * words:
            yield f"Without added blocks it has {core} words, the piece {words}: something is left out."
        if whole > self._most(words):
            yield f"It has {whole} words; at most {self._most(words)} are allowed."
        elif self.level == "advanced" and size_of(reply) > LENGTHS["advanced"].most * size_of(source):
            yield f"It has {size_of(reply)} characters, the piece {size_of(source)}: at most 20 % more are allowed."
        if reply.split() == source.split() and measure(source).words >= CHANGES_FROM:
            yield "It is the piece as it was, without any change."
        if words >= LENGTHS[self.level].adds_from and not parted.additions:
            yield f"Nothing was added. Add a block with one of the labels {', '.join(additions.LABELS[self.level])}."

    def _hard_to_read(self, source: str, parted: additions.Parted, reply: str) -> list[str]:
        if self.level != "beginner":
            return []
        return not_easier(source, {"the rewritten prose": parted.core, "the text with its added blocks": reply})


@dataclass(slots=True)
class PersonalizedChapter:
    """Puts a rewritten chapter together and reads off what it says beside its source."""

    title: str
    changes: list[Change] = field(default_factory=list[Change])
    _in_paragraph: bool = False  # which was too long for one piece

    def add(self, piece: Piece, adapted: str) -> str:
        if piece.role == "title":
            return ""
        masked = mask(adapted)
        above = piece.heading_path[-1] if piece.heading_path else self.title
        for addition in additions.part(mask(piece.text).text, masked.text).additions:
            section = heading_words(addition.heading, masked) or above
            self.changes.append(Change(section, addition.label.lower(), additions.first_sentence(addition)))
        return self._apart(piece, adapted)

    def _apart(self, piece: Piece, adapted: str) -> str:
        """A quote stands between empty lines also where a piece begins or ends in the middle of a paragraph."""
        if self._in_paragraph and adapted.lstrip().startswith(">"):
            adapted = "\n\n" + adapted.lstrip()
        self._in_paragraph = not piece.text.endswith("\n")
        if self._in_paragraph and adapted.rstrip().rpartition("\n")[2].startswith(">"):
            adapted = adapted.rstrip() + "\n\n"
        return adapted

    def keep(self, piece: Piece, corrected: str) -> str:
        """As it is: nothing is put into a text of the model either."""
        return self.add(piece, corrected)


def _invented(source: str, parted: additions.Parted, reply: str, glossary: Glossary) -> Iterator[str]:
    """What a reply brings along that neither the source nor the kind of an added block accounts for."""
    for reference in invented_references(source, reply):
        yield f"{reference!r} is a reference that the piece does not have; leave it out."
    for words in dict.fromkeys(match.group() for match in _REMARK.finditer(reply)):
        if words.casefold() not in source.casefold():
            yield f"{words!r} speaks of the task; write only the text."
    known = set(_numbers(source))
    for addition in parted.additions:
        if addition.label not in additions.WITH_NUMBERS:
            for number in dict.fromkeys(_numbers(_without_names(addition.text, glossary))):
                if number not in known:
                    yield f"The number {number} below {addition.label!r} is not in the piece; leave it out."


def _without_names(text: str, glossary: Glossary) -> str:
    """Without the numbers in what things are called: 3D, ROS 2."""
    for found in reversed(glossary.find(text)):
        text = f"{text[: found.start]}{text[found.end :]}"
    return _DIMENSIONS.sub("", text)


def _foreign_letters(source: str, reply: str) -> Iterator[str]:
    """English is written in Latin letters, whatever names and examples the source has."""
    strange = {letter for letter in set(reply) - set(source) if letter.isalpha() and not _is_of_english(letter)}
    if strange:
        yield f"It has letters that are not English and not in the piece: {' '.join(sorted(strange)[:8])}."


def _is_of_english(letter: str) -> bool:
    return letter < "\u0400" or unicodedata.name(letter, "").startswith(("LATIN", "GREEK", "MATHEMATICAL", "DOUBLE"))


def _numbers(text: str) -> Iterator[str]:
    """In digits, and those words for numbers that only a claim has: a thousand, not two."""
    yield from (match[0] for match in _NUMBER.finditer(text))
    yield from (match[0].lower() for match in _GREAT_NUMBER.finditer(text))
