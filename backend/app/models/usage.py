"""What an owner is told of the service: money, times, limits and what the book lacks. Nothing of who asked.

Plain dataclasses: the endpoint and `python -m backend usage --json` write the same JSON. Money is whole millionths of
a dollar, days are UTC's.
"""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class SpendingLine:
    """The settled calls to Claude of one day, feature and model. Of `uncertain_calls` nobody knows what they cost;
    the most that they can have cost is counted. `output_tokens` includes `thinking_tokens`."""

    day: date
    feature: str
    model: str
    calls: int
    uncertain_calls: int
    cost_microusd: int
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


@dataclass(frozen=True, slots=True)
class Spending:
    """`projected_month_microusd`: 30 days like the last seven. `projection` says it in words."""

    lines: tuple[SpendingLine, ...]
    cost_microusd: int
    today_microusd: int
    daily_budget_microusd: int
    projected_month_microusd: int
    projection: str


@dataclass(frozen=True, slots=True)
class CacheUse:
    """`prompt`: tokens that Claude read from its own cache. `chapter`, `section`: adapted text that was there
    already. `hit_rate` is None where nothing was asked."""

    cache: str
    hits: int
    misses: int
    hit_rate: float | None


@dataclass(frozen=True, slots=True)
class EventCount:
    """So often on that day: `answers`, `refusals`, `rate_limited`, `budget_refusals`, ... `labels` tell their kinds
    apart."""

    day: date
    event: str
    labels: dict[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class StageTime:
    """Half of them took at most `p50_ms`; told from counts in buckets, at most 9 % off."""

    stage: str
    count: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class AskedAlike:
    """Questions that mean the same: the wording that came most often, and others."""

    question: str
    asked: int
    other_wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissingTopic:
    """What was asked near one section and is not, or only in part, answered by the book. Without a section: nothing
    of the book was near."""

    chapter_id: str | None
    section: str | None
    anchor: str | None
    asked: int
    partly_answered: int
    newest_on: date
    questions: tuple[AskedAlike, ...]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """All of it for the last `days`, today included."""

    created_at: datetime
    days: int
    first_day: date
    last_day: date
    spending: Spending
    caches: tuple[CacheUse, ...]
    events: tuple[EventCount, ...]
    stages: tuple[StageTime, ...]
    unanswered: tuple[MissingTopic, ...]
