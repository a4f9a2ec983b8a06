"""What a reader opened and completed: which chapter is meant, and that noting it costs nobody a chapter."""

from typing import Protocol

import structlog

from backend.app.errors import InvalidToken, Unavailable
from backend.app.models.domain import ChapterId, Progress, Reader, UserId
from backend.app.services.chapter_service import ChapterService

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ProgressStore(Protocol):
    """What this service needs of the database."""

    async def get_progress(self, user_id: UserId) -> Progress: ...
    async def mark_chapter(self, user_id: UserId, chapter_id: ChapterId, completed: bool | None) -> None: ...


class ProgressService:
    """One reader's way through the book."""

    def __init__(self, store: ProgressStore, chapters: ChapterService) -> None:
        self._store = store
        self._chapters = chapters

    async def get(self, reader: Reader) -> Progress:
        """One statement."""
        return await self._store.get_progress(reader.user_id)

    async def mark(self, reader: Reader, reference: str, completed: bool | None) -> None:
        """Two statements. None: the chapter was opened, whether it is completed stays. Raises UnknownChapter."""
        chapter = await self._chapters.choose_chapter(reference)
        await self._store.mark_chapter(reader.user_id, chapter.chapter_id, completed)

    async def note_opened(self, reader: Reader, chapter_id: ChapterId) -> None:
        """Never fails: the reader has the chapter, and a note about it is worth less."""
        try:
            await self._store.mark_chapter(reader.user_id, chapter_id, None)
        except (Unavailable, InvalidToken) as failure:
            log.warning("opened_chapter_not_noted", code=failure.code)
