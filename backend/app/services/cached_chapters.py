"""Adapted chapters that are there already, by any name of the chapter. Asks no model and counts nobody."""

from backend.app.errors import NotAdapted
from backend.app.models.adaptation import AdaptedChapter, Target
from backend.app.models.domain import ChapterId
from backend.app.models.text import is_storable
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.chapter_service import ChapterService


class CachedChapters:
    """Looks them up."""

    def __init__(self, adaptations: AdaptationService, chapters: ChapterService) -> None:
        self._adaptations, self._chapters = adaptations, chapters

    async def get(self, target: Target, reference: str) -> tuple[ChapterId, AdaptedChapter]:
        """Which chapter it is, and what became of it; one query where `reference` is the id. Raises NotAdapted, and
        ChapterNotFound for what names none or two."""
        named = ChapterId(reference)
        if is_storable(reference) and (kept := await self._adaptations.find_cached(target, named)):
            return named, kept
        chapter_id = await self._chapters.get_chapter_id(reference)
        kept = await self._adaptations.find_cached(target, chapter_id) if chapter_id != named else None
        if kept is None:
            raise NotAdapted
        return chapter_id, kept
