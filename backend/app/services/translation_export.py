"""Translated chapters -> the pages of a Docusaurus site in that language.

Knows which chapters are complete and what a page begins with. Must not know folders, and never asks a model: a
chapter of which a section is missing is missing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.app.adaptation.corrections import source_hash
from backend.app.errors import CorrectionError
from backend.app.models.adaptation import AdaptedChapter, Order, TargetLanguage, Translate
from backend.app.models.domain import Chapter, ChapterId
from backend.app.services.adaptation_plan import plan_chapter
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.db_service import DBService
from backend.app.textbook.docusaurus import content_title
from backend.app.textbook.front_matter import with_title

_BESIDE = re.compile(r"(?:\]\(|\bsrc=[\"']|\bfrom\s+[\"']|\brequire\([\"'])(\.{1,2}/[^\s\"'()#?]+)")
_PAGE = re.compile(r"\.mdx?$")


@dataclass(frozen=True, slots=True)
class ExportedPage:
    """`untranslated` is the page in the book's own language: as good as none where a file has to be written.
    `beside`: the files that it shows by a path from its own folder."""

    chapter_id: ChapterId
    source_path: str
    text: str
    is_translated: bool
    untranslated: str
    beside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StaleCorrection:
    """A section that people corrected and the book has no more like this."""

    chapter_id: ChapterId
    heading: str


class TranslationExport:
    """One per process."""

    def __init__(self, db: DBService, tasks: AdaptationTasks, adaptations: AdaptationService) -> None:
        self._db = db
        self._tasks = tasks
        self._adaptations = adaptations

    async def pages(self, language: TargetLanguage) -> list[ExportedPage]:
        """One for each chapter, in reading order. Raises CorrectionError for a book ingested by an older version."""
        return [await self._page(chapter, Translate(language)) for chapter in await all_chapters(self._db)]

    async def stale(self, language: TargetLanguage) -> list[StaleCorrection]:
        """What was corrected and is not in use, because its source is another one now."""
        target = Translate(language)
        chapters = {chapter.chapter_id: chapter for chapter in await all_chapters(self._db)}
        found: list[StaleCorrection] = []
        for chapter_id, corrections in (await self._db.list_corrections(target)).items():
            known = self._sources(chapters.get(chapter_id), target)
            found += [StaleCorrection(chapter_id, one.heading) for one in corrections if one.source_hash not in known]
        return found

    def _sources(self, chapter: Chapter | None, target: Translate) -> set[str]:
        if chapter is None:
            return set()
        plan = plan_chapter(Order(target, chapter), self._tasks.task(target), self._tasks.model(target))
        return {source_hash(planned.piece) for planned in plan.pieces}

    async def _page(self, chapter: Chapter, target: Translate) -> ExportedPage:
        if chapter.front_matter is None:
            raise CorrectionError(
                "This book was ingested by an older version. Run first: python -m backend ingest PATH"
            )
        adapted = await whole_chapter(self._adaptations, Order(target, chapter))
        untranslated = _page(chapter, chapter.title, chapter.content)
        text = _page(chapter, adapted.title, adapted.content) if adapted else untranslated
        beside = tuple(dict.fromkeys(path for path in _BESIDE.findall(chapter.content) if not _PAGE.search(path)))
        return ExportedPage(chapter.chapter_id, chapter.source_path, text, adapted is not None, untranslated, beside)


async def whole_chapter(adaptations: AdaptationService, order: Order) -> AdaptedChapter | None:
    """The adapted chapter when nothing of it has to be written any more."""
    kept = await adaptations.find_cached(order.target, order.chapter.chapter_id)
    if kept and kept.content_hash == order.chapter.content_hash:
        return kept
    if (await adaptations.missing(order)).pieces:
        return None
    return await adaptations.generate(order, None)


async def all_chapters(db: DBService) -> Sequence[Chapter]:
    """In reading order."""
    return await db.find_chapters([summary.chapter_id for summary in await db.list_chapters()])


def _page(chapter: Chapter, title: str, content: str) -> str:
    """Front matter as the book has it, with this title; then the content."""
    block = with_title(chapter.front_matter or "", title, add=not content_title(content))
    return f"{block.rstrip()}\n\n{content}" if block.strip() else content
