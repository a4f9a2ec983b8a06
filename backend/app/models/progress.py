"""A reader's way through the book as the API shows it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from backend.app.models.domain import ChapterMark, ChapterSummary, Progress
from backend.app.models.text import TrimmedText

MAX_REFERENCE_CHARS = 2_000


class Mark(BaseModel):
    """What the reader did with a chapter. Sending it twice is the same as once."""

    chapter_id: Annotated[TrimmedText, Field(min_length=1, max_length=MAX_REFERENCE_CHARS)] = Field(
        description="The document id, a file name, a slug or a permalink, as in /api/chapters/{chapter_id}.",
        examples=["foundations/sensors"],
    )
    completed: bool | None = Field(
        description="null: the chapter was opened; whether it is completed stays as it is."
    )


class Marked(BaseModel):
    """The mark is stored."""

    success: bool = True


class ChapterRead(BaseModel):
    """A chapter that the reader opened."""

    chapter_id: str
    completed: bool
    last_accessed: datetime
    title: str
    url: str = Field(description="The page's address: SITE_URL (when set) and the page's route.")

    @classmethod
    def of(cls, chapter: ChapterSummary, mark: ChapterMark, site_url: str) -> "ChapterRead":
        """From the domain's shapes."""
        return cls(
            chapter_id=chapter.chapter_id,
            completed=mark.completed,
            last_accessed=mark.last_accessed.astimezone(UTC),
            title=chapter.title,
            url=site_url + chapter.url,
        )


class ModuleProgress(BaseModel):
    """One part of the book."""

    module: str = Field(description="The label of the part, empty for chapters at the top level.")
    total_chapters: int
    opened_chapters: int
    completed_chapters: int


class ProgressOut(BaseModel):
    """How far a reader is. Chapters that the book does not have any more count nowhere."""

    chapters_read: list[ChapterRead] = Field(description="What the reader opened, in reading order.")
    questions_asked: int = Field(description="Saved questions that the book answered, in part or in full.")
    total_chapters: int = Field(description="Of the book.")
    opened_chapters: int
    completed_chapters: int
    percent_complete: float = Field(ge=0, le=100, description="Rounded down to a tenth: 100 means every chapter.")
    last_chapter: ChapterRead | None = Field(description="Where the reader was last.")
    modules: list[ModuleProgress] = Field(description="In reading order.")

    @classmethod
    def of(cls, progress: Progress, site_url: str) -> "ProgressOut":
        """From the domain's shape; `site_url` is "" when none is configured."""
        read = [ChapterRead.of(chapter, mark, site_url) for chapter, mark in progress.chapters if mark]
        total, completed = len(progress.chapters), sum(chapter.completed for chapter in read)
        return cls(
            chapters_read=read,
            questions_asked=progress.questions_asked,
            total_chapters=total,
            opened_chapters=len(read),
            completed_chapters=completed,
            percent_complete=1000 * completed // total / 10 if total else 0,
            last_chapter=max(read, key=lambda chapter: chapter.last_accessed, default=None),
            modules=_modules(progress.chapters),
        )


def _modules(chapters: Iterable[tuple[ChapterSummary, ChapterMark | None]]) -> list[ModuleProgress]:
    marks: dict[str, list[ChapterMark | None]] = {}
    for chapter, mark in chapters:
        marks.setdefault(chapter.module, []).append(mark)
    return [
        ModuleProgress(
            module=module,
            total_chapters=len(found),
            opened_chapters=sum(mark is not None for mark in found),
            completed_chapters=sum(mark is not None and mark.completed for mark in found),
        )
        for module, found in marks.items()
    ]
