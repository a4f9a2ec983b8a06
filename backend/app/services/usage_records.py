"""What the owner's report is made of: the part of the database service for usage.

One method for each block of `usage.sql`. Of Claude's calls it reads sums; who made them is in no row that it returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from backend.app.models.usage import SpendingLine
from backend.app.services.named_queries import NamedQueries
from backend.app.services.telemetry import Event, Stage

KEPT_DAYS = 400
"""A year and a month, so that a month can be held against that of the year before."""
_FORGOTTEN_CALLS = 5_000
"""In one statement: some 20 ms."""


@dataclass(frozen=True, slots=True)
class CountedEvent:
    """`labels` joined by "/"."""

    day: date
    name: str
    labels: str
    count: int


@dataclass(frozen=True, slots=True)
class RecentSpending:
    """`since`: the first day with a call; None: there was none."""

    now: datetime
    since: date | None
    cost_microusd: int


class UsageRecords(NamedQueries):
    """A day is UTC's; the last `days` end today."""

    async def save_usage(
        self,
        writer: UUID,
        number: int,
        events: Mapping[tuple[int, Event, str], int],
        latencies: Mapping[tuple[int, Stage, int], int],
    ) -> None:
        """Add a batch, counted by day (since 1970-01-01), name and labels, or by day, stage and bucket. `number`
        rises with each batch of a writer; a batch that comes again changes nothing."""
        await self._all(
            "save_usage",
            writer=str(writer),
            number=number,
            event_days=[day for day, _, _ in events],
            event_names=[name for _, name, _ in events],
            event_labels=[labels for _, _, labels in events],
            event_counts=list(events.values()),
            time_days=[day for day, _, _ in latencies],
            time_stages=[stage for _, stage, _ in latencies],
            time_buckets=[bucket for _, _, bucket in latencies],
            time_counts=list(latencies.values()),
        )

    async def forget_old_usage(self) -> None:
        """What is older than KEPT_DAYS."""
        await self._all("forget_old_usage", days=KEPT_DAYS, limit=_FORGOTTEN_CALLS)

    async def list_spending(self, days: int) -> list[SpendingLine]:
        """By day, feature and model; the sum of its costs is what the ledger has spent on these days."""
        return [SpendingLine(*row) for row in await self._all("list_spending", days=days)]

    async def get_recent_spending(self, days: int) -> RecentSpending:
        """What the last days cost, and since when."""
        (row,) = await self._all("get_recent_spending", days=days)
        return RecentSpending(*row)

    async def list_usage_counters(self, days: int) -> list[CountedEvent]:
        """In order of days."""
        return [CountedEvent(*row) for row in await self._all("list_usage_counters", days=days)]

    async def list_stage_latency(self, days: int) -> dict[str, dict[int, int]]:
        """Stage -> bucket -> how many."""
        found: dict[str, dict[int, int]] = {}
        for stage, bucket, count in await self._all("list_stage_latency", days=days):
            found.setdefault(stage, {})[bucket] = count
        return found
