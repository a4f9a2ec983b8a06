"""The ledger, the counters and the open questions of some days -> the owner's report.

Knows what is added up to what. Every dollar in it is a sum over the ledger's rows; nothing in it says who asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import cast, get_args

import numpy as np

from backend.app.models.domain import OpenQuestion, UnansweredSection
from backend.app.models.usage import (
    AskedAlike,
    CacheUse,
    EventCount,
    MissingTopic,
    Spending,
    SpendingLine,
    StageTime,
    UsageReport,
)
from backend.app.services.claude_prices import MICROUSD
from backend.app.services.db_service import DBService
from backend.app.services.latency_buckets import quantile_s
from backend.app.services.question_groups import Vectors, group_alike
from backend.app.services.telemetry import LABELS, Event, Stage
from backend.app.services.usage_records import CountedEvent, RecentSpending
from backend.app.utils.config import Settings

PROJECTED_FROM_DAYS = 7
MONTH_DAYS = 30
SECTIONS = 20
WORDINGS = 30
"""Of each section: together a few seconds of embedding at most."""
SHOWN_WORDINGS = 5
_AT_ONCE = 16  # texts: a reader's question waits some 80 ms for them at most

Embed = Callable[[Sequence[str]], Awaitable[Vectors]]


class UsageService:
    """`embed`: texts -> L2-normalised vectors; asked only of questions that have something to be compared with."""

    def __init__(self, settings: Settings, db: DBService, embed: Embed) -> None:
        self._budget_microusd = int(settings.daily_budget_usd * MICROUSD)
        self._db = db
        self._embed = embed

    async def report(self, days: int) -> UsageReport:
        """Of the last `days`, today included. Raises DatabaseUnavailable."""
        recent = await self._db.get_recent_spending(PROJECTED_FROM_DAYS)
        lines, events, latencies, sections = await asyncio.gather(
            self._db.list_spending(days),
            self._db.list_usage_counters(days),
            self._db.list_stage_latency(days),
            self._db.list_unanswered(days, SECTIONS, WORDINGS),
        )
        now = recent.now.astimezone(UTC)
        counted = tuple(map(_event, events))
        return UsageReport(
            created_at=now,
            days=days,
            first_day=now.date() - timedelta(days=days - 1),
            last_day=now.date(),
            spending=self._spending(lines, recent),
            caches=_caches(lines, counted),
            events=counted,
            stages=_stages(latencies),
            unanswered=await self._topics(sections),
        )

    def _spending(self, lines: Sequence[SpendingLine], recent: RecentSpending) -> Spending:
        today = recent.now.astimezone(UTC).date()
        return Spending(
            lines=tuple(lines),
            cost_microusd=sum(line.cost_microusd for line in lines),
            today_microusd=sum(line.cost_microusd for line in lines if line.day == today),
            daily_budget_microusd=self._budget_microusd,
            projected_month_microusd=project_month(recent),
            projection=(
                f"{MONTH_DAYS} x the cost of the last {PROJECTED_FROM_DAYS} days, divided by the days since the first"
                " of them with a call (today counts as far as it has gone; at least one day)"
            ),
        )

    async def _topics(self, sections: Sequence[UnansweredSection]) -> tuple[MissingTopic, ...]:
        """What was asked alike near several sections stands with the one of its commonest wording."""
        asked = [(place, question) for place, section in enumerate(sections) for question in section.questions]
        questions = [question for _, question in asked]
        topics = [_Topic(section, section.asked, section.partial) for section in sections]
        for group in group_alike(questions, await self._vectors(questions)):
            home = topics[asked[group[0]][0]]
            home.questions.append(_asked_alike([questions[index] for index in group]))
            for place, question in (asked[index] for index in group):
                topics[place].give(home, question)
        found = sorted((topic for topic in topics if topic.asked), key=lambda topic: -topic.asked)
        return tuple(topic.finish() for topic in found)

    async def _vectors(self, questions: Sequence[OpenQuestion]) -> Vectors:
        texts = [question.text for question in questions]
        if len(texts) < 2:  # compared with nothing
            return np.zeros((len(texts), 1), dtype=np.float32)
        parts = [await self._embed(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
        return np.concatenate(parts)


@dataclass(slots=True)
class _Topic:
    section: UnansweredSection
    asked: int
    partial: int
    questions: list[AskedAlike] = field(default_factory=list[AskedAlike])

    def give(self, other: "_Topic", question: OpenQuestion) -> None:
        """Count it there and not here."""
        self.asked, self.partial = self.asked - question.asked, self.partial - question.partial
        other.asked, other.partial = other.asked + question.asked, other.partial + question.partial

    def finish(self) -> MissingTopic:
        return MissingTopic(
            chapter_id=self.section.chapter_id,
            section=self.section.section,
            anchor=self.section.anchor,
            asked=self.asked,
            partly_answered=self.partial,
            newest_on=self.section.newest_at.astimezone(UTC).date(),
            questions=tuple(self.questions),
        )


def project_month(recent: RecentSpending) -> int:
    """What 30 days cost that are like the last ones, in millionths of a dollar."""
    if recent.since is None:
        return 0
    begun = datetime.combine(recent.since, time.min, UTC)
    passed = max((recent.now - begun) / timedelta(days=1), 1.0)
    return round(recent.cost_microusd / passed * MONTH_DAYS)


def _event(counted: CountedEvent) -> EventCount:
    names = LABELS.get(cast(Event, counted.name), ())  # an older or newer release may have counted other things
    labels = dict(zip(names, counted.labels.split("/"), strict=False))
    return EventCount(counted.day, counted.name, labels, counted.count)


def _caches(lines: Sequence[SpendingLine], events: Sequence[EventCount]) -> tuple[CacheUse, ...]:
    read = sum(line.cache_read_tokens for line in lines)
    prompt = _cache("prompt", read, sum(line.input_tokens + line.cache_write_tokens for line in lines))
    return (prompt, *(_adapted(kind, events) for kind in ("chapter", "section")))


def _adapted(kind: str, events: Sequence[EventCount]) -> CacheUse:
    looked = [event for event in events if event.event == f"{kind}_cache"]
    hits = sum(event.count for event in looked if event.labels.get("result") == "hit")
    return _cache(kind, hits, sum(event.count for event in looked) - hits)


def _cache(name: str, hits: int, misses: int) -> CacheUse:
    return CacheUse(name, hits, misses, round(hits / (hits + misses), 4) if hits + misses else None)


def _stages(latencies: dict[str, dict[int, int]]) -> tuple[StageTime, ...]:
    """In the order of a reader's waiting."""
    known = list(get_args(Stage))
    return tuple(
        StageTime(
            stage,
            sum(counts.values()),
            round(1000 * quantile_s(counts, 0.5), 2),
            round(1000 * quantile_s(counts, 0.95), 2),
        )
        for stage, counts in sorted(
            latencies.items(), key=lambda item: known.index(item[0]) if item[0] in known else len(known)
        )
    )


def _asked_alike(group: Sequence[OpenQuestion]) -> AskedAlike:
    first, *others = group
    wordings = tuple(question.text for question in others[:SHOWN_WORDINGS])
    return AskedAlike(first.text, sum(question.asked for question in group), wordings)
