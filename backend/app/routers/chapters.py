"""The book's table of contents and its chapters. Reading only: no request can change the book."""

from fastapi import APIRouter

from backend.app.dependencies import AppSettings, Chapters
from backend.app.errors import ChapterNotFound, DatabaseUnavailable
from backend.app.models.chapter import ChapterEntry, ChapterList, ChapterPage
from backend.app.problems import problem_responses

router = APIRouter(prefix="/api/chapters", tags=["chapters"])


@router.get("", responses=problem_responses(DatabaseUnavailable))
async def list_chapters(chapters: Chapters, settings: AppSettings) -> ChapterList:
    """All chapters in reading order, without their text."""
    site_url = settings.site_url or ""
    return ChapterList(chapters=[ChapterEntry.of(chapter, site_url) for chapter in await chapters.list_chapters()])


@router.get("/{chapter_id:path}", responses=problem_responses(ChapterNotFound, DatabaseUnavailable))
async def get_chapter(chapter_id: str, chapters: Chapters, settings: AppSettings) -> ChapterPage:
    """One chapter with its Markdown. `chapter_id` may be the document id, a file name, a slug or a permalink."""
    return ChapterPage.whole(await chapters.get_chapter(chapter_id), settings.site_url or "")
