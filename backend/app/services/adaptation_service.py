"""Chapters in another language or at a reader's level: found, or made once for all who want them, or not at all.

A request looks for the chapter in one query. What is not there is made in a task of its own: it takes the chapter's
lease, puts together what is kept of its sections, lets Claude write the others, and keeps the result. Knows who pays:
a reader is counted only for what the model has to write, and not when that fails. Knows nothing of languages, levels,
marks or prompts.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

import structlog

from backend.app.errors import AppError, ModelNotConfigured, RateLimited, TooLongToAdapt, Unavailable
from backend.app.models.adaptation import AdaptedChapter, Order, SectionReady, Target
from backend.app.models.domain import ChapterId, Reader, UserId
from backend.app.services.adaptation_flight import Flights
from backend.app.services.adaptation_plan import Plan, PlannedPiece, plan_chapter, recipe_of, result_key
from backend.app.services.adaptation_store import AdaptationStore
from backend.app.services.adaptation_tasks import FAILURES, AdaptationTasks
from backend.app.services.chapter_assembly import Tell
from backend.app.services.chapter_lease import LEASE_S, ChapterLease, GivenUp, LeaseLost
from backend.app.services.chapter_maker import Admit, ChapterMaker, Payer
from backend.app.services.claude_service import ClaudeService
from backend.app.services.db_service import DBService
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.section_writer import ReaderShareUsedUp, SectionWriter
from backend.app.services.telemetry import Telemetry, Unheard

AT_ONCE_OF_ALL = 16
"""Sections of all chapters together that are written at the same time."""
PLANNED_AT_ONCE = 1
"""Pure Python, so two threads would do no more, and take turns with the event loop twice as often."""
_ONES_OWN = (RateLimited, ReaderShareUsedUp)
"""Failures of the one who began: whoever else wants the chapter begins again."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Missing:
    """What of a chapter a model has to write: nothing when `is_kept`, the pieces of `plan` named in `pieces` else."""

    is_kept: bool
    plan: Plan
    pieces: tuple[PlannedPiece, ...]


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
        telemetry: Telemetry | None = None,
    ) -> None:
        """Without `claude` everything is served that needs no model."""
        self._telemetry = telemetry or Unheard()
        self._tasks = tasks
        self._db = db
        self._store = AdaptationStore(db)
        writer = SectionWriter(claude, db, AT_ONCE_OF_ALL) if claude else None
        self._maker = ChapterMaker(writer, db, embedder, self._telemetry)
        self._lease_s = lease_s
        self._turns: WeakValueDictionary[UserId | None, asyncio.Lock] = WeakValueDictionary()
        self._planning = asyncio.Semaphore(PLANNED_AT_ONCE)
        self._flights: Flights[SectionReady, AdaptedChapter] = Flights()

    async def find_cached(self, target: Target, chapter_id: ChapterId) -> AdaptedChapter | None:
        """In one query; only what was made of the chapter as the book has it today."""
        recipe = recipe_of(self._tasks.task(target), self._tasks.model(target))
        kept = await self._store.find(target, chapter_id, recipe)
        if kept:
            self._telemetry.happened("chapter_cache", target.kind, "hit")
        return kept

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
            self._telemetry.happened("chapter_cache", order.target.kind, "miss")
        async with aclosing(self._join(order, Payer(reader.user_id, admit))) as events:
            async for event in events:
                yield event

    async def generate(self, order: Order, user_id: UserId | None) -> AdaptedChapter:
        """The chapter from the money of this reader, or of the owner: nobody is counted. Raises the same."""
        async with aclosing(self._join(order, Payer(user_id, None))) as events:
            return await _last(events)

    async def missing(self, order: Order) -> Missing:
        """What generating it now would ask of a model. Three queries, no call."""
        plan = await self._plan(order)
        if await self._find_same(plan):
            return Missing(True, plan, ())
        assembly = await self._maker.begin(plan, lambda _: None)
        return Missing(False, plan, tuple(assembly.missing))

    async def close(self) -> None:
        """Stop what is being made; what was written of it is kept."""
        await self._flights.close()

    async def _join(self, order: Order, payer: Payer) -> AsyncGenerator[SectionReady | AdaptedChapter]:
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

    async def _fly(self, key: str, order: Order, payer: Payer, tell: Tell) -> AdaptedChapter:
        """Whatever goes wrong in our own work on a text, a check or a finisher, is a failure like any other."""
        try:
            return await self._fly_alone(key, order, payer, tell)
        except AppError:
            raise
        except Exception as error:
            chapter_id, target = order.chapter.chapter_id, order.target
            log.exception("adapting_broke", chapter_id=chapter_id, kind=target.kind, target=target.variant)
            raise FAILURES[target.kind] from error

    async def _fly_alone(self, key: str, order: Order, payer: Payer, tell: Tell) -> AdaptedChapter:
        """One result is made once among all processes."""
        plan, tell_once = await self._plan(order, payer.user_id), _once(tell)
        while True:
            lease = ChapterLease(self._db, key, self._lease_s)
            try:
                make = self._make_again if await lease.take() else self._maker.make
                return await lease.work(partial(make, plan, payer, tell_once), _code_for_others)
            except GivenUp as failed:
                raise _failure_of(failed.code, order.target) from failed
            except LeaseLost:
                log.warning("lease_lost", chapter_id=order.chapter.chapter_id, target=order.target.variant)

    async def _make_again(self, plan: Plan, payer: Payer, tell: Tell) -> AdaptedChapter:
        """After somebody else, who may have made it, or have died over it."""
        return await self._find_same(plan) or await self._maker.make(plan, payer, tell)

    async def _find_same(self, plan: Plan) -> AdaptedChapter | None:
        """What is kept of exactly this chapter."""
        order = plan.order
        if order.is_own_text:
            return None
        kept = await self._store.find(order.target, order.chapter.chapter_id, plan.recipe)
        return kept if kept and kept.content_hash == order.chapter.content_hash else None

    async def _plan(self, order: Order, user_id: UserId | None = None) -> Plan:
        """A second of work for a text that was made to be slow, before anybody is counted: so each reader has one at
        a time, and whoever else waits comes between."""
        task, model = self._tasks.task(order.target), self._tasks.model(order.target)
        async with self._turns.setdefault(user_id, asyncio.Lock()), self._planning:
            return await asyncio.to_thread(plan_chapter, order, task, model)


async def _last(events: AsyncGenerator[SectionReady | AdaptedChapter]) -> AdaptedChapter:
    async for event in events:
        if isinstance(event, AdaptedChapter):
            return event
    raise AssertionError("a chapter or a failure comes last")


def _code_for_others(failure: Exception) -> str | None:
    """With which those who wait in other processes fail too."""
    if isinstance(failure, (*_ONES_OWN, ModelNotConfigured, TooLongToAdapt)):
        return None
    return failure.code if isinstance(failure, AppError) else AppError.code


def _failure_of(code: str, target: Target) -> AppError:
    """What happened in another process, to be told here."""
    known = {kind.code: kind for kind in Unavailable.__subclasses__()}
    return known.get(code, FAILURES[target.kind])()


def _once(tell: Tell) -> Tell:
    """Without the sections that were told already: whoever begins again puts the same ones first."""
    told = 0

    def tell_next(section: SectionReady) -> None:
        nonlocal told
        if section.index == told:
            told += 1
            tell(section)

    return tell_next
