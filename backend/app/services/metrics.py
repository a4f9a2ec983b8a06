"""The tally of this process as Prometheus reads it. The only module that knows prometheus_client.

Knows the names of the series. Every label has few values: stages, features, models of the settings, route templates,
never a path, a reader or a chapter.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.app.services.claude_prices import MICROUSD
from backend.app.services.latency_buckets import doublings, upper_edge_s
from backend.app.services.tally import Latency, Tally
from backend.app.services.telemetry import LABELS, Event
from backend.app.utils.threads import ThreadUse

CONTENT_TYPE = CONTENT_TYPE_LATEST
_EVENTS: Mapping[Event, tuple[str, str]] = {
    "answers": ("textbook_answers", "Questions that were answered, by who answered and what came of them."),
    "refusals": ("textbook_refusals", "Questions that the book does not answer, by how that is known."),
    "rate_limited": ("textbook_rate_limited", "Requests refused with 429, by limit."),
    "budget_refusals": ("textbook_budget_refusals", "Calls to Claude that the day's money did not allow."),
    "chapter_cache": ("textbook_chapter_cache", "Adapted chapters that were there already (hit) or not (miss)."),
    "section_cache": ("textbook_section_cache", "Sections of adapted chapters that were there already or not."),
}


class Metrics:
    """`pools`: the threads of each door, asked when somebody looks."""

    def __init__(self, tally: Tally, pools: Mapping[str, Callable[[], ThreadUse]]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_OurSeries(tally, pools))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """The text that Prometheus scrapes; some 3 ms."""
        return generate_latest(self._registry)


class _OurSeries(Collector):
    def __init__(self, tally: Tally, pools: Mapping[str, Callable[[], ThreadUse]]) -> None:
        self._tally = tally
        self._pools = pools

    def collect(self) -> Iterable[Metric]:
        yield _requests(self._tally)
        yield _stages(self._tally)
        for event in LABELS:
            yield _events(self._tally, event)
        yield from _spending(self._tally)
        yield from _threads(self._pools)


def _requests(tally: Tally) -> Metric:
    labels = ("method", "route", "status")
    family = CounterMetricFamily("textbook_http_requests", "Requests that came to their end.", labels=labels)
    for (method, route, status), count in tally.requests.items():
        family.add_metric((method, route, str(status)), count)
    return family


def _stages(tally: Tally) -> Metric:
    family = HistogramMetricFamily("textbook_stage_seconds", "How long each stage took.", labels=("stage",))
    for stage, latency in tally.latencies.items():
        family.add_metric((stage,), buckets=_edges(latency), sum_value=latency.sum_s)
    return family


def _edges(latency: Latency) -> list[tuple[str, float]]:
    """Each bucket holds those below it as well, as Prometheus wants it."""
    counts = latency.buckets
    edges = [
        (f"{upper_edge_s(edge):g}", float(sum(count for bucket, count in counts.items() if bucket <= edge)))
        for edge in doublings()
    ]
    return [*edges, ("+Inf", float(counts.total()))]


def _events(tally: Tally, event: Event) -> Metric:
    name, meaning = _EVENTS[event]
    family = CounterMetricFamily(name, meaning, labels=LABELS[event])
    for (counted, labels), count in tally.events.items():
        if counted == event:
            family.add_metric(labels.split("/"), count)
    return family


def _spending(tally: Tally) -> Iterable[Metric]:
    cost = CounterMetricFamily(
        "textbook_claude_cost_usd", "Dollars of settled calls to Claude.", labels=("feature", "model")
    )
    for labels, microusd in tally.cost_microusd.items():
        cost.add_metric(labels, microusd / MICROUSD)
    tokens = CounterMetricFamily(
        "textbook_claude_tokens",
        "Tokens of settled calls to Claude; output includes thinking.",
        labels=("feature", "model", "kind"),
    )
    for labels, count in tally.tokens.items():
        tokens.add_metric(labels, count)
    return cost, tokens


def _threads(pools: Mapping[str, Callable[[], ThreadUse]]) -> Iterable[Metric]:
    threads = GaugeMetricFamily("textbook_pool_threads", "Threads of a pool.", labels=("pool",))
    busy = GaugeMetricFamily("textbook_pool_busy", "Threads of a pool that are at work.", labels=("pool",))
    waiting = GaugeMetricFamily("textbook_pool_waiting", "Calls that wait for a thread of a pool.", labels=("pool",))
    for pool, look in pools.items():
        use = look()
        threads.add_metric((pool,), use.threads)
        busy.add_metric((pool,), use.busy)
        waiting.add_metric((pool,), use.waiting)
    return threads, busy, waiting
