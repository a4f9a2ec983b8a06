"""Translated chapters as the API speaks of them."""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from backend.app.models.adaptation import AdaptedChapter, TargetLanguage
from backend.app.models.adapted_chapter import OWN_TEXT, AdaptedOut, ChapterWish
from backend.app.models.text import TrimmedText

MAX_LANGUAGE_CHARS = 40
LanguageName = Annotated[TrimmedText, Field(max_length=MAX_LANGUAGE_CHARS)]


class KnownLanguage(Protocol):
    """What is told of a language."""

    @property
    def code(self) -> TargetLanguage: ...
    @property
    def direction(self) -> Literal["ltr", "rtl"]: ...


class TranslateChapter(ChapterWish):
    """A chapter to be translated."""

    language: LanguageName | None = Field(
        None, description="ur, hi, ar, es or fr; ur when it is left out.", examples=["ur"]
    )
    target_language: LanguageName | None = Field(None, description="Another name for `language`.")


class TranslatedChapter(AdaptedOut):
    """A chapter in another language. Code, formulas, links and headings' ids are those of its source."""

    translated_content: str = Field(description="Markdown; MDX where the source is.")
    language: TargetLanguage
    dir: Literal["ltr", "rtl"] = Field(description="For the `dir` attribute of the element that shows it.")

    @classmethod
    def of(
        cls, chapter_id: str, language: KnownLanguage, chapter: AdaptedChapter, *, is_own_text: bool = False
    ) -> "TranslatedChapter":
        """From the domain's shapes."""
        return cls(
            chapter_id=chapter_id,
            translated_content=chapter.content,
            cached=chapter.cached,
            language=language.code,
            dir=language.direction,
            title=chapter.title,
            content_hash=chapter.content_hash,
            sections=chapter.sections,
            warning=OWN_TEXT if is_own_text else None,
        )
