"""What was told, added up in memory: once since the start of the process, for who looks at it now, and once for each
day until it is saved.

Knows numbers only; who shows them (`metrics`) and who saves them (`daily_usage`) read them here. Everything happens
on the event loop, so nothing is locked.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.app.services.claude_reply import Usage
from backend.app.services.latency_buckets import bucket_of
from backend.app.services.telemetry import Event, Stage

_DAY_S = 86_400
MAX_UNSAVED = 20_000
"""Different numbers that may wait for a database that is gone: some 500 come together in a day."""


@dataclass(slots=True)
class Latency:
    """`buckets`: how many times took so long (`latency_buckets`)."""

    buckets: Counter[int] = field(default_factory=Counter[int])
    sum_s: float = 0.0


@dataclass(slots=True)
class Unsaved:
    """What happened since something was saved. A day is counted from 1970-01-01, UTC; labels are joined by "/"."""

    events: Counter[tuple[int, Event, str]] = field(default_factory=Counter[tuple[int, Event, str]])
    latencies: Counter[tuple[int, Stage, int]] = field(default_factory=Counter[tuple[int, Stage, int]])

    def __len__(self) -> int:
        return len(self.events) + len(self.latencies)


class Tally:
    """One per process; a `Telemetry`."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._unsaved = Unsaved()
        self.is_full = False
        self.events: Counter[tuple[Event, str]] = Counter()
        self.latencies: defaultdict[Stage, Latency] = defaultdict(Latency)
        self.tokens: Counter[tuple[str, str, str]] = Counter()
        """By feature, model and kind: the fields of `Usage` without "_tokens"."""
        self.cost_microusd: Counter[tuple[str, str]] = Counter()
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By method, route template and status."""

    def took(self, stage: Stage, seconds: float) -> None:
        bucket = bucket_of(seconds)
        latency = self.latencies[stage]
        latency.buckets[bucket] += 1
        latency.sum_s += seconds
        if self._has_room():
            self._unsaved.latencies[int(self._clock()) // _DAY_S, stage, bucket] += 1

    def happened(self, event: Event, *labels: str, times: int = 1) -> None:
        if not times:
            return
        joined = "/".join(labels)
        self.events[event, joined] += times
        if self._has_room():
            self._unsaved.events[int(self._clock()) // _DAY_S, event, joined] += times

    def spent(self, feature: str, model: str, usage: Usage, cost_microusd: int) -> None:
        """Not for saving: the ledger has it."""
        self.cost_microusd[feature, model] += cost_microusd
        self.tokens[feature, model, "input"] += usage.input_tokens
        self.tokens[feature, model, "output"] += usage.output_tokens
        self.tokens[feature, model, "thinking"] += usage.thinking_tokens
        self.tokens[feature, model, "cache_read"] += usage.cache_read_tokens
        self.tokens[feature, model, "cache_write"] += usage.cache_write_tokens

    def served(self, method: str, route: str, status: int) -> None:
        """A request came to its end. `route` is the template of its path, never the path."""
        self.requests[method, route, status] += 1

    def take_unsaved(self) -> Unsaved:
        """What is to be saved now; it is the taker's from here on."""
        taken, self._unsaved, self.is_full = self._unsaved, Unsaved(), False
        return taken

    def _has_room(self) -> bool:
        self.is_full = self.is_full or len(self._unsaved) >= MAX_UNSAVED
        return not self.is_full
