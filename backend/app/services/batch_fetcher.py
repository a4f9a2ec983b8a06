"""What batches bring: waited for, held against the checks, kept, and settled line by line.

The process may die at any moment: a reply is kept before its line is settled, and a batch is forgotten when all its
lines are; until then everything is simply done again.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog

from backend.app.models.adaptation import KeptReply, Order, Target, target_of
from backend.app.models.domain import ChapterId
from backend.app.services.adaptation_plan import Plan, PlannedPiece
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.batch_records import KnownBatch, KnownLine
from backend.app.services.batch_sender import BatchSender, Look, NeverMade
from backend.app.services.claude_batches import BatchCallFailed, BatchResult, BatchState, ClaudeBatches
from backend.app.services.claude_budget import CallOutcome
from backend.app.services.claude_prices import find_batch_price
from backend.app.services.claude_reply import ClaudeReply, Usage
from backend.app.services.db_service import DBService
from backend.app.services.prewarming import Advance
from backend.app.services.section_writer import review_reply

_HEADING = re.compile(r"\s*#{1,6}[ \t]+([^\n{]*\w)")
_EDITED = "The chapter was edited while the batch was under way."
_WHY = {"expired": "Claude did not come to it within a day.", "canceled": "The batch was cancelled."}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SectionFailed:
    """A line that brought nothing to keep. `section` is a heading, "" when the book does not have it any more."""

    chapter_id: ChapterId
    target: Target
    section: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Fetched:
    """What batches brought, for which chapters. `troubles` are batches that could not be fetched, and why."""

    saved: int = 0
    cost_microusd: int = 0
    chapters: set[tuple[Target, ChapterId]] = field(default_factory=set[tuple[Target, ChapterId]])
    failed: list[SectionFailed] = field(default_factory=list[SectionFailed])
    troubles: list[str] = field(default_factory=list[str])

    def add(self, other: "Fetched") -> None:
        self.saved += other.saved
        self.cost_microusd += other.cost_microusd
        self.chapters |= other.chapters
        self.failed += other.failed
        self.troubles += other.troubles


@dataclass(frozen=True, slots=True)
class _Section:
    """A section of the book of today."""

    plan: Plan
    planned: PlannedPiece


class BatchFetcher:
    """Knows the batches of the database, whichever process sent them."""

    def __init__(
        self, adaptations: AdaptationService, batches: ClaudeBatches, sender: BatchSender, db: DBService
    ) -> None:
        self._adaptations = adaptations
        self._batches = batches
        self._sender = sender
        self._db = db

    async def fetch_all(self, poll_s: float, advance: Advance) -> Fetched:
        """Wait for every batch that is under way, and keep what each brings. Cancelled, it can be begun again."""
        fetched, looks = Fetched(), dict[int, Look]()
        waiting = {batch.id: batch for batch in await self._db.list_batches()}
        while waiting:
            for batch in list(waiting.values()):
                try:
                    looks[batch.id] = look = await self._sender.look(batch)
                    waiting[batch.id] = look.batch
                    if look.state and look.state.has_ended:
                        fetched.add(await self._fetch(look.batch, look.state))
                        del waiting[batch.id]
                except NeverMade:
                    del waiting[batch.id]
                except BatchCallFailed as failed:
                    if not failed.failure.retryable:
                        fetched.troubles.append(f"{batch.claude_batch_id or batch.token}: {failed}")
                        del waiting[batch.id]
            states = [look.state for look in looks.values() if look.state]
            advance(sum(state.done for state in states), sum(state.total for state in states))
            if waiting:
                await asyncio.sleep(poll_s)
        return fetched

    async def _fetch(self, batch: KnownBatch, state: BatchState) -> Fetched:
        """Every line of a batch that has ended. Raises BatchCallFailed when its results break off."""
        lines = {batch.custom_id(line.number): line for line in await self._db.list_batch_lines(batch.id)}
        sections = await self._sections(lines.values())
        fetched = Fetched()
        async with aclosing(self._results(state)) as results:
            async for result in results:
                if line := lines.pop(result.custom_id, None):
                    await self._take(line, result, sections.get(line.section_key), fetched)
        for custom_id, line in lines.items():
            without = BatchResult(custom_id, "unknown", error="no result")
            await self._take(line, without, sections.get(line.section_key), fetched)
        await self._db.forget_batch(batch.id)
        return fetched

    async def _results(self, state: BatchState) -> AsyncGenerator[BatchResult]:
        """Nothing when Claude has thrown them away, after a month."""
        if state.has_results:
            async with aclosing(self._batches.results(state.batch_id)) as results:
                async for result in results:
                    yield result

    async def _sections(self, lines: Iterable[KnownLine]) -> dict[str, _Section]:
        """By key: a section that was edited meanwhile has another one."""
        wanted = {(target_of(line.kind, line.variant), line.chapter_id) for line in lines}
        ids = list({chapter_id for _, chapter_id in wanted})
        chapters = {chapter.chapter_id: chapter for chapter in await self._db.find_chapters(ids)}
        found: dict[str, _Section] = {}
        for target, chapter_id in wanted:
            if chapter := chapters.get(chapter_id):
                plan = (await self._adaptations.missing(Order(target, chapter))).plan
                found |= {planned.key: _Section(plan, planned) for planned in plan.pieces if planned.request}
        return found

    async def _take(self, line: KnownLine, result: BatchResult, section: _Section | None, fetched: Fetched) -> None:
        outcome, cost = _cost(line, result)
        if result.reply:
            problems = await self._keep(line, result.reply, section, cost)
        else:
            problems = (_WHY.get(result.end, f"Claude: {result.error}."),)
        usage, claude_id = (result.reply.usage, result.reply.request_id) if result.reply else (Usage(), None)
        await self._db.settle_budget(line.call_id, outcome, cost, usage, claude_id)
        fetched.cost_microusd += cost
        fetched.saved += not problems
        target = target_of(line.kind, line.variant)
        fetched.chapters.add((target, line.chapter_id))
        if problems:
            fetched.failed.append(SectionFailed(line.chapter_id, target, _name(section), problems))

    async def _keep(
        self, line: KnownLine, reply: ClaudeReply, section: _Section | None, cost_microusd: int
    ) -> tuple[str, ...]:
        """What is wrong with the reply; nothing: it is kept."""
        if section is None:
            return (_EDITED,)
        reviewed = await asyncio.to_thread(review_reply, section.plan, section.planned, reply)
        if not reviewed.problems:
            kept, plan = KeptReply(reply.text, cost_microusd), section.plan
            await self._db.save_section(line.section_key, plan.order.target, plan.recipe, kept, reply.stop_reason)
        return reviewed.problems


def _name(section: _Section | None) -> str:
    """Its own heading, or the one it stands below."""
    if section is None:
        return ""
    piece = section.planned.piece
    own = _HEADING.match(piece.text)
    return own[1] if own else (piece.heading_path or ("",))[-1]


def _cost(line: KnownLine, result: BatchResult) -> tuple[CallOutcome, int]:
    """A line that may be billed and does not say for how much costs what was held for it."""
    if result.end in ("errored", "canceled", "expired"):
        return "not_billed", 0
    price = find_batch_price(line.model)
    if result.reply is None or price is None or not result.reply.usage.prompt_tokens:
        return "unknown", line.held_microusd
    cost = price.cost_microusd(result.reply.usage)
    if cost > line.held_microusd:
        log.error("call_cost_more_than_held", cost_microusd=cost, held_microusd=line.held_microusd)
    return "complete", cost
