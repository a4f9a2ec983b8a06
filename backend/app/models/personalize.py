"""Chapters rewritten for a level as the API speaks of them."""

from pydantic import BaseModel, Field

from backend.app.models.adaptation import AdaptedChapter, Change, Personalize
from backend.app.models.adapted_chapter import OWN_TEXT, AdaptedOut, ChapterWish
from backend.app.models.domain import Hardware, Level


class PersonalizeChapter(ChapterWish):
    """A chapter to be rewritten for a level."""

    level: Level | None = Field(None, description="The reader's own when it is left out.")


class ChangeOut(BaseModel):
    """Something that the chapter says beside its source."""

    section: str = Field(description="The heading it stands below.")
    kind: str = Field(description="Its label, such as example, definition or common mistake.")
    text: str = Field(description="Its first sentence.")

    @classmethod
    def of(cls, change: Change) -> "ChangeOut":
        """From the domain's shape."""
        return cls(section=change.section, kind=change.kind, text=change.text)


class PersonalizedChapter(AdaptedOut):
    """A chapter for readers of one level who own this hardware. What it adds stands in quotes with a bold label."""

    personalized_content: str = Field(description="Markdown; MDX where the source is.")
    level: Level
    hardware: Hardware = Field(description="The reader's own; examples are chosen by it.")
    changes: list[ChangeOut] = Field(description="What was added, in reading order.")
    coverage: float | None = Field(
        ge=0, le=1, description="Share of the source's key sentences whose meaning is found again."
    )

    @classmethod
    def of(
        cls, chapter_id: str, target: Personalize, chapter: AdaptedChapter, *, is_own_text: bool = False
    ) -> "PersonalizedChapter":
        """From the domain's shape."""
        return cls(
            chapter_id=chapter_id,
            personalized_content=chapter.content,
            cached=chapter.cached,
            level=target.level,
            hardware=target.hardware,
            changes=[ChangeOut.of(change) for change in chapter.changes],
            coverage=None if chapter.coverage is None else round(chapter.coverage, 4),
            title=chapter.title,
            content_hash=chapter.content_hash,
            sections=chapter.sections,
            warning=OWN_TEXT if is_own_text else None,
        )
