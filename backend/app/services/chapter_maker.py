"""One chapter, made by whoever holds its lease: from what is kept of it, and what Claude writes.

Knows the order of the steps, who pays, and how much is done at once. A chapter is kept when all of it was accepted,
its sections one by one before that (`section_writer`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import structlog

from backend.app.adaptation.coverage import coverage, key_sentences, sentences
from backend.app.errors import ModelNotConfigured, TooLongToAdapt, Unavailable
from backend.app.models.adaptation import AdaptedChapter, Corrections, Order
from backend.app.models.domain import UserId
from backend.app.services.adaptation_plan import Plan, PlannedPiece, written_before
from backend.app.services.adaptation_store import AdaptationStore
from backend.app.services.chapter_assembly import ChapterAssembly, Tell
from backend.app.services.db_service import DBService
from backend.app.services.embedding_service import EmbeddingService, Vectors
from backend.app.services.rate_limiter import Allowance
from backend.app.services.section_writer import SectionWriter
from backend.app.services.telemetry import Telemetry, timed

AT_ONCE = 4
"""Sections of one chapter that are written at the same time."""
SWEEP_EVERY_S = 600.0
_SHOWN = 60  # characters
EMBEDDED_AT_ONCE = 16  # 0.1 s, so that no question waits long behind a chapter

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Admit = Callable[[], Awaitable[Allowance]]
"""Counts one chapter for the reader. Raises RateLimited when that is one too many."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose share of the money it is (None: the owner's), and who is counted (None: nobody)."""

    user_id: UserId | None
    admit: Admit | None


class ChapterMaker:
    """One per process. Without `writer` it makes what needs no model."""

    def __init__(
        self, writer: SectionWriter | None, db: DBService, embedder: EmbeddingService, telemetry: Telemetry
    ) -> None:
        self._writer = writer
        self._db = db
        self._store = AdaptationStore(db)
        self._embedder = embedder
        self._telemetry = telemetry
        self._swept_at = time.monotonic()

    async def begin(self, plan: Plan, tell: Tell) -> ChapterAssembly:
        """With everything that needs no model. What people wrote wins over what the model wrote."""
        corrections = await self._corrections(plan.order)
        texts = {section.source_hash: section.text for section in corrections.sections}
        kept = await self._db.find_sections(plan.keys)
        assembly = ChapterAssembly(plan, tell, corrections.version)
        await assembly.put_all(written_before(plan, kept, texts))
        return assembly

    async def _corrections(self, order: Order) -> Corrections:
        """A client's own text has none: it is no chapter."""
        if order.is_own_text:
            return Corrections()
        return await self._db.find_corrections(order.chapter.chapter_id, order.target)

    async def make(self, plan: Plan, payer: Payer, tell: Tell) -> AdaptedChapter:
        """All of it. Raises what `AdaptationService.stream` raises; what was accepted until then is kept."""
        assembly = await self.begin(plan, tell)
        missing = assembly.missing
        self._telemetry.happened("section_cache", plan.order.target.kind, "miss", times=len(missing))
        self._telemetry.happened("section_cache", plan.order.target.kind, "hit", times=len(plan.keys) - len(missing))
        if missing:
            with timed(self._telemetry, "chapter"):
                chapter = await self._write(plan, missing, assembly, payer)
        else:
            chapter = await self._put_together(plan, assembly, cached=True)
        if not plan.order.is_own_text:
            await self._keep(plan, chapter, assembly.cost_microusd)
        return chapter

    async def _put_together(self, plan: Plan, assembly: ChapterAssembly, *, cached: bool) -> AdaptedChapter:
        chapter = assembly.chapter(cached=cached)
        if plan.order.target.kind == "translation":
            return chapter
        return replace(chapter, coverage=await self._coverage(plan.order.chapter.content, chapter.content))

    async def _write(
        self, plan: Plan, missing: Sequence[PlannedPiece], assembly: ChapterAssembly, payer: Payer
    ) -> AdaptedChapter:
        """The pieces that are missing, a few at a time, counted for the reader unless there is no chapter then."""
        if self._writer is None:
            raise ModelNotConfigured
        if too_long := next((planned for planned in missing if planned.is_too_long), None):
            raise TooLongToAdapt(" ".join(too_long.piece.text[:_SHOWN].split()))
        await self._writer.foresee(plan, missing, payer.user_id)
        allowance = await payer.admit() if payer.admit else None
        try:
            await self._write_all(plan, missing, assembly, payer.user_id, self._writer)
            return await self._put_together(plan, assembly, cached=False)
        except BaseException:
            if allowance:
                await allowance.refund()
            raise

    async def _write_all(
        self,
        plan: Plan,
        missing: Sequence[PlannedPiece],
        assembly: ChapterAssembly,
        user_id: UserId | None,
        writer: SectionWriter,
    ) -> None:
        """After a failure none is begun; those that are being written end, because they are paid for."""
        waiting = deque(missing)

        async def write_some() -> None:
            while waiting:
                planned = waiting.popleft()
                try:
                    with timed(self._telemetry, "section"):
                        written = await writer.write(plan, planned, user_id)
                    await assembly.put_all([(planned, written)])
                except BaseException:
                    waiting.clear()
                    raise

        ended = await asyncio.gather(*(write_some() for _ in range(AT_ONCE)), return_exceptions=True)
        if failures := [each for each in ended if each is not None]:
            raise failures[0]

    async def _coverage(self, source: str, adapted: str) -> float:
        wanted, found = await asyncio.to_thread(lambda: (key_sentences(source), sentences(adapted)))
        return coverage(await self._embed(wanted), await self._embed(found))

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        parts = [texts[start : start + EMBEDDED_AT_ONCE] for start in range(0, len(texts), EMBEDDED_AT_ONCE)]
        return np.concatenate([await self._embedder.embed(part) for part in parts or [[]]])

    async def _keep(self, plan: Plan, chapter: AdaptedChapter, cost_microusd: int) -> None:
        """A database that fails now costs the row, not the chapter: its sections are kept."""
        order = plan.order
        try:
            await self._store.save(order.target, order.chapter.chapter_id, plan.recipe, chapter, cost_microusd)
        except Unavailable as failure:
            log.warning("chapter_not_kept", chapter_id=order.chapter.chapter_id, code=failure.code)
        if time.monotonic() - self._swept_at > SWEEP_EVERY_S:
            self._swept_at = time.monotonic()
            with suppress(Unavailable):
                await self._db.sweep_adaptations()
