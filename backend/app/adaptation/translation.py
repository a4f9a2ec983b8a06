"""Translating a chapter: what is asked for each piece, what is accepted, and how the pieces become a chapter."""

from dataclasses import dataclass
from typing import Any

from backend.app.adaptation.checks import common_problems
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.languages import LANGUAGES, Language
from backend.app.adaptation.requests import Wish, piece_request
from backend.app.models.adaptation import Change, Piece, TargetLanguage, Translate
from backend.app.prompts import load_prompt
from backend.app.textbook.masking import MaskedText

PROMPT = "translate"


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
        return f"{load_prompt(PROMPT).version}-{self.glossary.version}"

    def prepare(self, content: str) -> str:
        return content

    def request(self, model: str, piece: Piece, masked: MaskedText) -> dict[str, Any]:
        notes = (("language", self._spoken.described), ("terms", "\n".join(self.glossary.terms_in(masked.text))))
        return piece_request(model, Wish(PROMPT, notes, self._spoken.tokens_per_word), piece, masked)

    def problems(self, piece: Piece, masked: MaskedText, reply: str) -> list[str]:
        return common_problems(piece, masked, reply)

    def finisher(self, title: str) -> "TranslationFinisher":
        return TranslationFinisher(title)

    @property
    def _spoken(self) -> Language:
        return LANGUAGES[self.language]


class TranslationFinisher:
    """Joins the pieces of one chapter and learns its title."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.changes: tuple[Change, ...] = ()

    def add(self, piece: Piece, adapted: str) -> str:
        if piece.role == "title":
            self.title = adapted.strip().removeprefix("#").strip()
            return ""
        return adapted
