"""Batches on their way to Claude: written down with their money held, sent, and found again when the answer was lost.

A batch stands in the database before it is sent. Whether one that was sent without an answer exists shows in Claude's
list of batches, by the token that begins its custom ids; so nothing is sent twice, whenever the process dies.
"""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from backend.app.services.adaptation_plan import PlannedPiece
from backend.app.services.adaptation_tasks import FEATURES
from backend.app.services.batch_records import KnownBatch, NewLine, SectionsUnderWay
from backend.app.services.claude_batches import RESULTS_KEPT_S, BatchCallFailed, BatchState, ClaudeBatches
from backend.app.services.claude_reply import Usage
from backend.app.services.db_service import DBService
from backend.app.services.prewarming import Job, money_left
from backend.app.services.section_costs import section_cost

MOST_LINES = 5_000
"""Of one batch: some 60 MB. Claude takes 100,000 and 256 MB."""
SETTLES_S = 300.0
"""A batch that Claude does not list so long after it was written down was never made: sending takes two minutes at
most."""
_LEASE_S = RESULTS_KEPT_S + 86_400.0
_CLOCKS_DIFFER = timedelta(minutes=10)
_TRIES = 3

_Line = tuple[NewLine, dict[str, Any]]


class NeverMade(Exception):
    """Claude does not have the batch and will not: nothing is held for it any more."""


@dataclass(frozen=True, slots=True)
class Sent:
    """`batch` None: there was nothing to send, or no money. `left`: the jobs that today's money is too little for."""

    batch: KnownBatch | None
    left: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """`state` None: nobody knows yet whether Claude has the batch."""

    batch: KnownBatch
    state: BatchState | None


class BatchSender:
    """`limits` are the owner's shares of a day's money, "all" among them."""

    def __init__(
        self, batches: ClaudeBatches, db: DBService, limits: Mapping[str, int], *, settles_s: float = SETTLES_S
    ) -> None:
        self._batches = batches
        self._db = db
        self._limits = limits
        self._settles_s = settles_s

    async def send(self, jobs: Sequence[Job]) -> Sent:
        """As many of these as today's money is enough for, in one batch; sections that another batch is to bring are
        left to it. Raises BatchCallFailed when Claude refuses the batch; then nothing is held."""
        for _ in range(_TRIES):  # another process may send, or spend, between choosing and holding
            chosen, left = await self._choose(jobs)
            if not chosen:
                return Sent(None, left)
            token, lines = secrets.token_hex(8), [line for line, _ in chosen]
            try:
                batch = await self._db.hold_batch(token, lines, self._limits, _LEASE_S)
            except SectionsUnderWay:
                continue
            if batch:
                requests = {batch.custom_id(number): body for number, (_, body) in enumerate(chosen, start=1)}
                return Sent(await self._create(batch, requests), left)
        return Sent(None, tuple(jobs))

    async def look(self, batch: KnownBatch) -> Look:
        """How far it is. Raises NeverMade, and BatchCallFailed when that cannot be told now."""
        if batch.claude_batch_id is None:
            found = await self._find(batch)
            if found is None:
                return Look(batch, None)
            await self._db.name_batch(batch.id, found)
            batch = replace(batch, claude_batch_id=found)
        assert batch.claude_batch_id
        return Look(batch, await self._batches.retrieve(batch.claude_batch_id))

    async def _choose(self, jobs: Sequence[Job]) -> tuple[list[_Line], tuple[Job, ...]]:
        taken = set(await self._db.list_sections_under_way())
        money = await money_left(self._db, self._limits)
        chosen: list[_Line] = []
        left: list[Job] = []
        for job in jobs:
            new = {planned.key: planned for planned in job.sections if planned.key not in taken}
            lines = [_line(job, planned) for planned in new.values()]
            microusd = sum(line.microusd for line, _ in lines)
            if microusd > money or len(chosen) + len(lines) > MOST_LINES:
                left.append(job)
                continue
            money -= microusd
            taken |= new.keys()
            chosen += lines
        return chosen, tuple(left)

    async def _create(self, batch: KnownBatch, requests: Mapping[str, Mapping[str, Any]]) -> KnownBatch:
        try:
            claude_batch_id = await self._batches.create(requests)
        except BatchCallFailed as failed:
            if failed.did_nothing:
                await self._give_up(batch)
                raise
            return batch  # it may exist: `look` finds out
        if not await self._db.name_batch(batch.id, claude_batch_id):
            await self._batches.cancel(claude_batch_id)  # this process slept so long that another gave it up
        return replace(batch, claude_batch_id=claude_batch_id)

    async def _find(self, batch: KnownBatch) -> str | None:
        """A batch that was sent without an answer: None as long as it cannot be told. Raises NeverMade."""
        lines = len(await self._db.list_batch_lines(batch.id))
        batches = await self._db.list_batches()
        known = {other.claude_batch_id for other in batches}
        is_open = any(other.id == batch.id and other.age_s < self._settles_s for other in batches)
        for state in await self._batches.list_since(batch.started_at - _CLOCKS_DIFFER):
            if state.batch_id in known or state.total != lines:
                continue
            if not state.has_ended:  # its custom ids show with its results
                is_open = True
            elif await self._is(batch, state):
                return state.batch_id
        if is_open:
            return None
        await self._give_up(batch)
        raise NeverMade

    async def _is(self, batch: KnownBatch, state: BatchState) -> bool:
        if state.has_results:
            async with aclosing(self._batches.results(state.batch_id)) as results:
                async for result in results:
                    return result.custom_id.startswith(batch.custom_id_prefix)
        return False

    async def _give_up(self, batch: KnownBatch) -> None:
        for line in await self._db.list_batch_lines(batch.id):
            await self._db.settle_budget(line.call_id, "not_billed", 0, Usage(), None)
        await self._db.forget_batch(batch.id)


def _line(job: Job, planned: PlannedPiece) -> _Line:
    assert planned.request
    target, recipe = job.order.target, job.missing.plan.recipe
    line = NewLine(
        section_key=planned.key,
        kind=target.kind,
        variant=target.variant,
        chapter_id=job.order.chapter.chapter_id,
        feature=FEATURES[target.kind],
        model=recipe.model,
        prompt_version=recipe.prompt_version,
        microusd=section_cost(target, planned, in_batch=True).most_microusd,
    )
    return line, planned.request
