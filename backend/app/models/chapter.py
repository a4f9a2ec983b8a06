"""Chapters as the API shows them."""

from pydantic import BaseModel, Field

from backend.app.models.domain import Chapter, ChapterSummary


class ChapterEntry(BaseModel):
    """One line of the table of contents."""

    id: str = Field(description="The Docusaurus document id; every endpoint that takes a chapter takes it.")
    title: str
    url: str = Field(description="The page's address: SITE_URL (when set) and the page's route.")
    module: str = Field(description="The label of the part the chapter belongs to, empty at the top level.")
    position: int = Field(description="Reading order, from 0.")

    @classmethod
    def of(cls, chapter: ChapterSummary | Chapter, site_url: str) -> "ChapterEntry":
        """From the domain's shape; `site_url` is "" when none is configured."""
        return cls(
            id=chapter.chapter_id,
            title=chapter.title,
            url=site_url + chapter.url,
            module=chapter.module,
            position=chapter.position,
        )


class ChapterList(BaseModel):
    """The book's table of contents in reading order."""

    chapters: list[ChapterEntry]


class ChapterPage(ChapterEntry):
    """A chapter with its text."""

    content: str = Field(description="The chapter's Markdown without front matter.")
    content_hash: str = Field(description="Changes whenever the chapter changes.")

    @classmethod
    def whole(cls, chapter: Chapter, site_url: str) -> "ChapterPage":
        """From the domain's shape."""
        entry = ChapterEntry.of(chapter, site_url)
        return cls(**entry.model_dump(), content=chapter.content, content_hash=chapter.content_hash)
