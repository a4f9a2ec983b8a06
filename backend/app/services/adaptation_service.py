"""Chapters in another language or at a reader's level: found, or made once for all who want them, or not at all.

A request looks for the chapter in one query. What is not there is made in a task of its own: it takes the chapter's
lease, puts together what is kept of its sections, lets Claude write the others, and keeps the result. Knows who pays:
a reader is counted only for what the model has to write, and not when that fails. Knows nothing of languages, levels,
marks or prompts.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

import structlog

from backend.app.adaptation.coverage import coverage, key_sentences, sentences
from backend.app.errors import AppError, ModelNotConfigured, RateLimited, Unavailable
from backend.app.models.adaptation import AdaptedChapter, Corrections, Order, SectionReady, Target
from backend.app.models.domain import ChapterId, Reader, UserId
from backend.app.services.adaptation_flight import Flight, Flights
from backend.app.services.adaptation_plan import (
    Plan,
    PlannedPiece,
    plan_chapter,
    recipe_of,
    result_key,
    written_before,
)
from backend.app.services.adaptation_store import AdaptationStore
from backend.app.services.adaptation_tasks import FAILURES, AdaptationTasks
from backend.app.services.chapter_assembly import ChapterAssembly, Tell
from backend.app.services.chapter_lease import LEASE_S, ChapterLease, GivenUp, LeaseLost
from backend.app.services.claude_service import ClaudeService
from backend.app.services.db_service import DBService
from backend.app.services.embedding_service import EmbeddingService, Vectors
from backend.app.services.rate_limiter import Allowance
from backend.app.services.section_writer import ReaderShareUsedUp, SectionWriter

AT_ONCE = 4
"""Sections of one chapter that are written at the same time; and of all chapters of this process:"""
AT_ONCE_OF_ALL = 16
SWEEP_EVERY_S = 600.0
EMBEDDED_AT_ONCE = 16  # 0.1 s, so that no question waits long behind a chapter
_ONES_OWN = (RateLimited, ReaderShareUsedUp)
"""Failures of the one who began: whoever else wants the chapter begins again."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Admit = Callable[[], Awaitable[Allowance]]
"""Counts one chapter for the reader. Raises RateLimited when that is one too many."""
_Flight = Flight[SectionReady, AdaptedChapter]


@dataclass(frozen=True, slots=True)
class Missing:
    """What of a chapter a model has to write: nothing when `is_kept`, the pieces of `plan` named in `pieces` else."""

    is_kept: bool
    plan: Plan
    pieces: tuple[PlannedPiece, ...]


@dataclass(frozen=True, slots=True)
class _Payer:
    """Whose share of the money it is (None: the owner's), and whose chapters are counted."""

    user_id: UserId | None
    admit: Admit | None


class AdaptationService:
    """One per process."""

    def __init__(
        self,
        tasks: AdaptationTasks,
        claude: ClaudeService | None,
        db: DBService,
        embedder: EmbeddingService,
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        """Without `claude` everything is served that needs no model."""
        self._tasks = tasks
        self._writer = SectionWriter(claude, db, AT_ONCE_OF_ALL) if claude else None
        self._db = db
        self._store = AdaptationStore(db)
        self._embedder = embedder
        self._lease_s = lease_s
        self._flights: Flights[SectionReady, AdaptedChapter] = Flights()
        self._swept_at = time.monotonic()

    async def find_cached(self, target: Target, chapter_id: ChapterId) -> AdaptedChapter | None:
        """In one query; only what was made of the chapter as the book has it today."""
        recipe = recipe_of(self._tasks.task(target), self._tasks.model(target))
        return await self._store.find(target, chapter_id, recipe)

    async def adapt(self, order: Order, reader: Reader, admit: Admit) -> AdaptedChapter:
        """The whole chapter. Raises what `stream` raises."""
        async with aclosing(self.stream(order, reader, admit)) as events:
            return await _last(events)

    async def stream(
        self, order: Order, reader: Reader, admit: Admit
    ) -> AsyncGenerator[SectionReady | AdaptedChapter]:
        """Its sections in order as they are written, of a chapter that is there none; last the whole chapter.

        Whoever stops listening stops nothing. Raises RateLimited, ModelNotConfigured and BudgetExhausted before the
        first section that a model has to write; later TranslationFailed or PersonalizationFailed, AIServiceBusy,
        BudgetExhausted, DatabaseUnavailable: then nothing is kept of the chapter, and the reader is not counted.
        """
        if not order.is_own_text:
            kept = await self.find_cached(order.target, order.chapter.chapter_id)
            if kept and kept.content_hash == order.chapter.content_hash:
                yield kept
                return
        async with aclosing(self._join(order, _Payer(reader.user_id, admit))) as events:
            async for event in events:
                yield event

    async def generate(self, order: Order, user_id: UserId | None) -> AdaptedChapter:
        """The chapter from the money of this reader, or of the owner: nobody is counted. Raises the same."""
        async with aclosing(self._join(order, _Payer(user_id, None))) as events:
            return await _last(events)

    async def missing(self, order: Order) -> Missing:
        """What generating it now would ask of a model. Three queries, no call."""
        plan = await self._plan(order)
        kept = await self._store.find(order.target, order.chapter.chapter_id, plan.recipe)
        if kept and not order.is_own_text and kept.content_hash == order.chapter.content_hash:
            return Missing(True, plan, ())
        assembly = await self._begin(plan, lambda _: None)
        return Missing(False, plan, tuple(assembly.missing))

    async def close(self) -> None:
        """Stop what is being made; what was written of it is kept."""
        await self._flights.close()

    async def _join(self, order: Order, payer: _Payer) -> AsyncGenerator[SectionReady | AdaptedChapter]:
        """One result is made once in this process. Who began it may be refused: then the next one begins."""
        key = result_key(order, recipe_of(self._tasks.task(order.target), self._tasks.model(order.target)))
        told = 0
        while True:
            flight, is_ours = self._flights.join(key, lambda tell: self._fly(key, order, payer, tell))
            async with aclosing(flight.listen(told)) as events:
                async for event in events:
                    told += 1
                    yield event
            if flight.task.cancelled():
                raise FAILURES[order.target.kind]
            failure = flight.task.exception()
            if failure is None:
                yield flight.task.result()
                return
            if is_ours or not isinstance(failure, _ONES_OWN):
                raise failure

    async def _fly(self, key: str, order: Order, payer: _Payer, tell: Tell) -> AdaptedChapter:
        """One result is made once among all processes."""
        plan = await self._plan(order)
        while True:
            lease = ChapterLease(self._db, key, self._lease_s)
            try:
                await lease.take()
                return await lease.work(lambda: self._make(plan, payer, tell), _code_for_others)
            except GivenUp as failed:
                raise _failure_of(failed.code, order.target) from failed
            except LeaseLost:
                log.warning("lease_lost", chapter_id=order.chapter.chapter_id, target=order.target.variant)

    async def _plan(self, order: Order) -> Plan:
        task, model = self._tasks.task(order.target), self._tasks.model(order.target)
        return await asyncio.to_thread(plan_chapter, order, task, model)

    async def _begin(self, plan: Plan, tell: Tell) -> ChapterAssembly:
        """With everything that needs no model. What people wrote wins over what the model wrote."""
        corrections = await self._corrections(plan.order)
        texts = {section.source_hash: section.text for section in corrections.sections}
        kept = await self._db.find_sections(plan.keys)
        assembly = ChapterAssembly(plan, tell, corrections.version)
        for planned, written in await asyncio.to_thread(lambda: list(written_before(plan, kept, texts))):
            assembly.put(planned, written)
        return assembly

    async def _corrections(self, order: Order) -> Corrections:
        """A client's own text has none: it is no chapter."""
        if order.is_own_text:
            return Corrections()
        return await self._db.find_corrections(order.chapter.chapter_id, order.target)

    async def _make(self, plan: Plan, payer: _Payer, tell: Tell) -> AdaptedChapter:
        assembly = await self._begin(plan, tell)
        missing = assembly.missing
        if missing:
            await self._write(plan, missing, assembly, payer)
        chapter = assembly.chapter(cached=not missing)
        if plan.order.target.kind == "personalization":
            chapter = replace(chapter, coverage=await self._coverage(plan.order.chapter.content, chapter.content))
        if not plan.order.is_own_text:
            await self._keep(plan, chapter, assembly.cost_microusd)
        return chapter

    async def _write(
        self, plan: Plan, missing: Sequence[PlannedPiece], assembly: ChapterAssembly, payer: _Payer
    ) -> None:
        """The pieces that are missing, a few at a time, counted for the reader unless they fail."""
        if self._writer is None:
            raise ModelNotConfigured
        await self._writer.foresee(plan, missing, payer.user_id)
        allowance = await payer.admit() if payer.admit else None
        try:
            await self._write_all(plan, missing, assembly, payer.user_id, self._writer)
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
                    assembly.put(planned, await writer.write(plan, planned, user_id))
                except BaseException:
                    waiting.clear()
                    raise

        ended = await asyncio.gather(*(write_some() for _ in range(AT_ONCE)), return_exceptions=True)
        if failures := [each for each in ended if each is not None]:
            raise failures[0]

    async def _coverage(self, source: str, adapted: str) -> float:
        return coverage(await self._embed(key_sentences(source)), await self._embed(sentences(adapted)))

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

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


async def _last(events: AsyncGenerator[SectionReady | AdaptedChapter]) -> AdaptedChapter:
    async for event in events:
        if isinstance(event, AdaptedChapter):
            return event
    raise AssertionError("a chapter or a failure comes last")


def _code_for_others(failure: Exception) -> str | None:
    """With which those who wait in other processes fail too."""
    if isinstance(failure, (*_ONES_OWN, ModelNotConfigured)):
        return None
    return failure.code if isinstance(failure, AppError) else AppError.code


def _failure_of(code: str, target: Target) -> AppError:
    """What happened in another process, to be told here."""
    known = {kind.code: kind for kind in Unavailable.__subclasses__()}
    return known.get(code, FAILURES[target.kind])()
