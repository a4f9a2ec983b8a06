"""The report on the terminal. Knows rich and nothing of how the figures come about."""

from collections import Counter
from itertools import groupby

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.app.models.usage import CacheUse, MissingTopic, SpendingLine, UsageReport
from backend.app.services.claude_prices import MICROUSD
from backend.app.terminal import dollars

WIDTH = 110  # where the output is no terminal
_JOINERS = "\u200c\u200d"  # letters of Urdu that a word needs
_EVENTS = {
    "answers": "answers",
    "refusals": "not in the book",
    "rate_limited": "429, limit of",
    "budget_refusals": "no money for",
    "chapter_cache": "adapted chapters",
    "section_cache": "their sections",
}
_CACHES = {
    "prompt": "tokens of prompts that Claude read from its cache",
    "chapter": "adapted chapters that were there already",
    "section": "their sections that were there already",
}


def show(report: UsageReport, console: Console) -> None:
    """All of it, one part below the other; what there is nothing of is one line."""
    console.print(f"Usage from {report.first_day} to {report.last_day} (days are UTC's)\n")
    _tell_money(report, console)
    _tell_caches(report, console)
    _tell_events(report, console)
    _tell_stages(report, console)
    _tell_unanswered(report, console)


def _tell_money(report: UsageReport, console: Console) -> None:
    spending = report.spending
    if spending.lines:
        console.print(_money_table(spending.lines))
    console.print(
        f"Claude cost {dollars(spending.cost_microusd)}; today {dollars(spending.today_microusd)} of "
        f"{dollars(spending.daily_budget_microusd, 2)}. A month like the last days: "
        f"{dollars(spending.projected_month_microusd, 2)}.",
    )
    if spending.lines:
        console.print(f"  ({spending.projection})", soft_wrap=True)
    console.print()


def _money_table(lines: tuple[SpendingLine, ...]) -> Table:
    table = _table("day", "feature", "model")
    for title in ("calls", "dollars", "input", "output", "of it\nthinking", "cache\nread", "cache\nwritten"):
        table.add_column(title, justify="right", no_wrap=True)
    for day, of_day in groupby(lines, key=lambda line: line.day):
        for number, line in enumerate(of_day):
            table.add_row("" if number else str(day), escape(line.feature), escape(line.model), *_figures([line]))
    table.add_section()
    table.add_row("all", "", "", *_figures(lines))
    return table


def _figures(lines: tuple[SpendingLine, ...] | list[SpendingLine]) -> list[str]:
    return [
        str(sum(line.calls for line in lines)),
        f"{sum(line.cost_microusd for line in lines) / MICROUSD:.6f}",
        str(sum(line.input_tokens for line in lines)),
        str(sum(line.output_tokens for line in lines)),
        str(sum(line.thinking_tokens for line in lines)),
        str(sum(line.cache_read_tokens for line in lines)),
        str(sum(line.cache_write_tokens for line in lines)),
    ]


def _tell_caches(report: UsageReport, console: Console) -> None:
    for cache in report.caches:
        if cache.hit_rate is not None:
            console.print(f"  {_share(cache)} {_CACHES.get(cache.cache, cache.cache)}")
    console.print()


def _share(cache: CacheUse) -> str:
    return f"{100 * (cache.hit_rate or 0):5.1f} % ({cache.hits} of {cache.hits + cache.misses})"


def _tell_events(report: UsageReport, console: Console) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for event in report.events:
        counts[event.event, ", ".join(event.labels.values())] += event.count
    if not counts:
        console.print("Nothing was asked or refused.\n")
        return
    table = _table("what", "of which kind")
    table.add_column("times", justify="right")
    order = {name: number for number, name in enumerate(_EVENTS)}
    for (name, kind), count in sorted(counts.items(), key=lambda item: (order.get(item[0][0], 99), -item[1])):
        table.add_row(_EVENTS.get(name, escape(name)), escape(kind), str(count))
    console.print(table)


def _tell_stages(report: UsageReport, console: Console) -> None:
    if not report.stages:
        return
    table = _table("stage")
    for title in ("times", "p50 ms", "p95 ms"):
        table.add_column(title, justify="right")
    for stage in report.stages:
        table.add_row(escape(stage.stage), str(stage.count), f"{stage.p50_ms:.1f}", f"{stage.p95_ms:.1f}")
    console.print(table)


def _tell_unanswered(report: UsageReport, console: Console) -> None:
    if not report.unanswered:
        console.print("No question was left open.")
        return
    console.print("What readers asked and the book does not answer, by the section that lies nearest:\n")
    for topic in report.unanswered:
        _tell_topic(topic, console)


def _tell_topic(topic: MissingTopic, console: Console) -> None:
    place = f"{topic.chapter_id} > {topic.section}" if topic.chapter_id else "near nothing in the book"
    part = f", {topic.partly_answered} answered in part" if topic.partly_answered else ""
    console.print(f"{_visible(place)}: {topic.asked}{part}", markup=False, soft_wrap=True)
    for asked in topic.questions:
        console.print(f"  {asked.asked:>3} x {_visible(asked.question)}", markup=False, soft_wrap=True)
        for wording in asked.other_wordings:
            console.print(f"        {_visible(wording)}", markup=False, soft_wrap=True)


def _visible(text: str) -> str:
    """On one line, and without what could move a terminal's cursor or turn the direction of its text."""
    return "".join(sign if sign.isprintable() or sign in _JOINERS else " " for sign in text)


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    return table
