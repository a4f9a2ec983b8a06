"""The languages that chapters are translated into, and what is true of each of them. One table; pure."""

from dataclasses import dataclass
from typing import Literal

from backend.app.models.adaptation import TargetLanguage

Direction = Literal["ltr", "rtl"]
Script = Literal["Arab", "Deva", "Latn"]
"""ISO 15924."""


@dataclass(frozen=True, slots=True)
class Language:
    """`described` is how a model is told the language and how it is written. `tokens_per_word`: what a word of
    English may need in it at most (claude-5.5 tokenizer; reserved, not expected). `comma_is_decimal`: 0,5 may be
    written for 0.5."""

    code: TargetLanguage
    name: str
    native_name: str
    direction: Direction
    script: Script
    described: str
    tokens_per_word: float
    comma_is_decimal: bool = False

    @property
    def is_rtl(self) -> bool:
        return self.direction == "rtl"


_TABLE = (
    Language("ur", "Urdu", "اردو", "rtl", "Arab", "Urdu (اردو), in the Urdu script, as used in Pakistan", 6.5),
    Language("hi", "Hindi", "हिन्दी", "ltr", "Deva", "Hindi (हिन्दी), in the Devanagari script", 6.5),
    Language("ar", "Arabic", "العربية", "rtl", "Arab", "Modern Standard Arabic (العربية), in the Arabic script", 6.5),
    Language("es", "Spanish", "Español", "ltr", "Latn", "Spanish (español)", 3.5, True),
    Language("fr", "French", "Français", "ltr", "Latn", "French (français)", 3.5, True),
)
LANGUAGES: dict[TargetLanguage, Language] = {language.code: language for language in _TABLE}
"""By code, the default first."""
DEFAULT_LANGUAGE: TargetLanguage = "ur"


def find_language(name: str) -> Language | None:
    """By code or name in any letter case, with a region or not: "ur", "UR-pk", "Urdu", "اردو"."""
    wanted = name.strip().casefold()
    primary = wanted.replace("_", "-").partition("-")[0]
    return next(
        (
            each
            for each in LANGUAGES.values()
            if primary == each.code or wanted in (each.name.casefold(), each.native_name.casefold())
        ),
        None,
    )
