"""The order of the work: what is missing, what it costs, leave to go on, calls or a batch, the summary."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

import typer

from backend.app.adaptation.languages import LANGUAGES
from backend.app.errors import BookNotIngested, ModelNotConfigured
from backend.app.models.adaptation import Order, Personalize, Target, Translate
from backend.app.models.domain import Chapter, Hardware, Level
from backend.app.prewarm import report
from backend.app.prewarm.workshop import Workshop, open_workshop
from backend.app.services.batch_fetcher import BatchFetcher, Fetched
from backend.app.services.batch_sender import BatchSender
from backend.app.services.budget_service import owner_limits
from backend.app.services.claude_batches import BatchCallFailed, ClaudeBatches
from backend.app.services.prewarming import Job, Made, make, money_left, survey
from backend.app.utils.config import Settings

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. `chapters`: names of chapters, none: all. `retry_failed`: what a batch failed
    at is tried once more, call by call."""

    targets: tuple[Target, ...]
    chapters: tuple[str, ...] = ()
    in_batch: bool = False
    dry_run: bool = False
    is_agreed: bool = False
    retry_failed: bool = False
    poll_s: float = 30.0


async def prewarm(settings: Settings, request: Request) -> bool:
    """Whether everything that was asked for is there in the end, and for a dry run always.

    Raises UnknownChapter, BookNotIngested, ModelNotConfigured, ConfigurationError for a database without its tables.
    """
    try:
        async with open_workshop(settings) as workshop:
            outcome = await _Run(workshop, request).run()
    except asyncio.CancelledError:
        report.tell_stopped(in_batch=request.in_batch)
        raise
    if outcome is None:
        return True
    spent = sum(workshop.tally.cost_microusd.values())  # every call is settled now
    report.tell_outcome(outcome, spent_microusd=spent + outcome.fetched.cost_microusd)
    return outcome.is_complete


def read_targets(languages: str, levels: str, hardware: str) -> tuple[Target, ...]:
    """Raises typer.BadParameter for a name that is not known, and when nothing is named."""
    translations = [Translate(language) for language in _chosen(languages, LANGUAGES, "--language")]
    equipment = _chosen(hardware, get_args(Hardware), "--hardware") or ["none"]
    chosen = _chosen(levels, get_args(Level), "--levels")
    targets = (*translations, *(Personalize(level, owned) for level in chosen for owned in equipment))
    if not targets:
        raise typer.BadParameter("say what to make: --language ur, --levels beginner,advanced, or both")
    return targets


def split(names: str) -> list[str]:
    return [name for name in dict.fromkeys(part.strip() for part in names.split(",")) if name]


def _chosen(names: str, known: Iterable[_Name], option: str) -> list[_Name]:
    by_name = {str(each): each for each in known}
    chosen = split(names)
    if unknown := [name for name in chosen if name not in by_name]:
        raise typer.BadParameter(f"{option}: {', '.join(unknown)} is not one of {', '.join(by_name)}")
    return [by_name[name] for name in chosen]


class _Run:
    def __init__(self, workshop: Workshop, request: Request) -> None:
        self._workshop = workshop
        self._request = request
        self._limits = owner_limits(workshop.settings)

    async def run(self) -> report.Outcome | None:
        """None: nothing was to be done but to look."""
        await self._workshop.check_schema(read_only=self._request.dry_run)
        jobs = await self._survey(await self._chapters())
        under_way = await self._workshop.db.list_sections_under_way()
        waiting = [job for job in jobs if any(planned.key in under_way for planned in job.sections)]
        new = [job for job in jobs if not job.is_there and not (job in waiting and not self._request.in_batch)]
        left_microusd = await money_left(self._workshop.db, self._limits)
        report.show(jobs, new, waiting, left_microusd, in_batch=self._request.in_batch)
        if self._request.dry_run or not (new or under_way):
            return None
        to_write = [job for job in new if any(planned.key not in under_way for planned in job.sections)]
        if to_write and self._workshop.claude is None:
            raise ModelNotConfigured
        if to_write and not self._request.is_agreed:
            _ask()
        if self._request.in_batch and self._workshop.claude:
            return await self._by_batch(jobs, to_write, ClaudeBatches(self._workshop.claude))
        made = await self._make([job.order for job in new])
        return report.Outcome(made, waiting=() if self._request.in_batch else tuple(job.order for job in waiting))

    async def _by_batch(self, jobs: Sequence[Job], to_write: Sequence[Job], batches: ClaudeBatches) -> report.Outcome:
        """Everything that a batch is to bring, also of an earlier command, then the chapters that it completes."""
        sender = BatchSender(batches, self._workshop.db, self._limits)
        fetcher = BatchFetcher(self._workshop.adaptations, batches, sender, self._workshop.db)
        refused, unsent = await _send(sender, to_write)
        with report.progress("Claude works on the batch") as advance:
            fetched = await fetcher.fetch_all(self._request.poll_s, advance)
        if refused:
            fetched.troubles.append(refused)
        again = await self._survey_again(jobs, fetched)
        left = [job.order for job in unsent]
        complete = [job.order for job in again if not job.is_there and not job.sections]
        failed = [job.order for job in again if job.sections and job.order not in left]
        made = await self._make([*complete, *(failed if self._request.retry_failed else ())])
        return report.Outcome(made, fetched, tuple(left), () if self._request.retry_failed else tuple(failed))

    async def _survey_again(self, jobs: Sequence[Job], fetched: Fetched) -> list[Job]:
        """What was asked for, and what batches of earlier commands were for."""
        asked = {(job.order.target, job.order.chapter.chapter_id) for job in jobs}
        others = fetched.chapters - asked
        found = await self._workshop.db.find_chapters(list({chapter_id for _, chapter_id in others}))
        orders = [job.order for job in jobs]
        orders += [
            Order(target, each) for target, chapter_id in others for each in found if each.chapter_id == chapter_id
        ]
        return [Job(order, await self._workshop.adaptations.missing(order)) for order in orders]

    async def _make(self, orders: Sequence[Order]) -> Made:
        with report.progress("Making chapters") as advance:
            return await make(self._workshop.adaptations, orders, advance)

    async def _survey(self, chapters: Sequence[Chapter]) -> list[Job]:
        with report.progress("Looking for what is missing", is_quick=True) as advance:
            return await survey(self._workshop.adaptations, chapters, self._request.targets, advance)

    async def _chapters(self) -> list[Chapter]:
        """In reading order."""
        if self._request.chapters:
            chosen = [
                (await self._workshop.chapters.choose_chapter(name)).chapter_id for name in self._request.chapters
            ]
        else:
            chosen = [chapter.chapter_id for chapter in await self._workshop.chapters.list_chapters()]
        if not chosen:
            raise BookNotIngested
        return await self._workshop.db.find_chapters(chosen)


async def _send(sender: BatchSender, jobs: Sequence[Job]) -> tuple[str | None, tuple[Job, ...]]:
    """Batch after batch, until the money or the work ends -> why Claude refused one, and what was not sent."""
    left = tuple(jobs)
    try:
        while left and (sent := await sender.send(left)).batch:
            left = sent.left
    except BatchCallFailed as failed:
        return f"Claude did not take the batch: {failed}", left
    return None, left


def _ask() -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask on; pass --yes to go on without being asked")
    typer.confirm("Go on?", abort=True)
