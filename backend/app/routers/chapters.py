"""The book's table of contents and its chapters. Reading only: no request can change the book."""

from typing import Any

from fastapi import APIRouter

from backend.app.dependencies import AppSettings, Chapters, OptionalReader, ReaderProgress
from backend.app.errors import ChapterNotFound, DatabaseUnavailable, InvalidToken
from backend.app.models.chapter import ChapterEntry, ChapterList, ChapterPage
from backend.app.problems import problem_responses

router = APIRouter(prefix="/api/chapters", tags=["chapters"])
_token_optional: dict[str, Any] = {"security": [{}]}  # added to the token's own entry: with it or without
_opening = problem_responses(InvalidToken, ChapterNotFound, DatabaseUnavailable)


@router.get("", responses=problem_responses(DatabaseUnavailable))
async def list_chapters(chapters: Chapters, settings: AppSettings) -> ChapterList:
    """All chapters in reading order, without their text."""
    site_url = settings.site_url or ""
    return ChapterList(chapters=[ChapterEntry.of(chapter, site_url) for chapter in await chapters.list_chapters()])


@router.get("/{chapter_id:path}", responses=_opening, openapi_extra=_token_optional)
async def get_chapter(
    chapter_id: str, chapters: Chapters, reader: OptionalReader, progress: ReaderProgress, settings: AppSettings
) -> ChapterPage:
    """One chapter with its Markdown. `chapter_id` may be the document id, a file name, a slug or a permalink. With a
    token the chapter counts as opened in /api/user/progress."""
    chapter = await chapters.get_chapter(chapter_id)
    if reader:
        await progress.note_opened(reader, chapter.chapter_id)
    return ChapterPage.whole(chapter, settings.site_url or "")
