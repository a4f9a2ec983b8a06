"""The report as one picture: what was spent on each day and for what, what came of the questions, how long it took.

Knows matplotlib's figures, which it is given.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from backend.app.drawing import INK, plain, tidy
from backend.app.models.usage import UsageReport
from backend.app.services.claude_prices import MICROUSD

_COLOURS = ("#1b6ca8", "#d98a00", "#3a9d6e", "#a9486b", "#6aa6cf", "#8c8c8c")
_LEAST_MS = 0.01  # a logarithmic scale has no zero
_OUTCOMES = {"answered": _COLOURS[0], "partial": _COLOURS[4], "not_in_book": _COLOURS[1]}


def draw(report: UsageReport, figures: Any) -> bytes:
    """A PNG. `figures` is matplotlib's module of figures."""
    picture = figures.Figure(figsize=(12, 8), layout="constrained")
    axes = picture.subplots(2, 2)
    days = [report.first_day + timedelta(days=number) for number in range(report.days)]
    _draw_money(axes[0, 0], report, days)
    _draw_models(axes[0, 1], report)
    _draw_answers(axes[1, 0], report, days)
    _draw_stages(axes[1, 1], report)
    total, month = report.spending.cost_microusd, report.spending.projected_month_microusd
    title = f"{report.first_day} to {report.last_day}: ${total / MICROUSD:,.4f}; a month: ${month / MICROUSD:,.2f}"
    picture.suptitle(plain(title), color=INK)
    written = io.BytesIO()
    picture.savefig(written, format="png", dpi=120)
    return written.getvalue()


def _draw_money(axes: Any, report: UsageReport, days: Sequence[date]) -> None:
    spent: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for line in report.spending.lines:
        spent[line.feature][line.day] += line.cost_microusd
    series = {feature: [of[day] / MICROUSD for day in days] for feature, of in spent.items()}
    _stack(axes, days, series, dict(zip(series, _COLOURS * 9, strict=False)))
    budget = report.spending.daily_budget_microusd / MICROUSD
    if 2 * axes.get_ylim()[1] > budget:
        axes.axhline(budget, color=INK, linestyle=":", linewidth=1, label="a day's budget")
    axes.set_ylabel("dollars")
    _name(axes, "Claude, by feature", bool(series))


def _draw_models(axes: Any, report: UsageReport) -> None:
    kinds = ("input", "cache_read", "cache_write", "output")
    tokens: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in report.spending.lines:
        for kind in kinds:
            tokens[f"{line.feature}, {line.model}"][kind] += getattr(line, f"{kind}_tokens")
    names, left = list(tokens), [0.0] * len(tokens)
    for kind, colour in zip(kinds, _COLOURS, strict=False):
        values = [tokens[name][kind] / 1000 for name in names]
        axes.barh(range(len(names)), values, left=left, color=colour, height=0.62, label=kind.replace("_", " "))
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.set_yticks(range(len(names)), [plain(name) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("thousand tokens")
    _name(axes, "Tokens", bool(names))


def _draw_answers(axes: Any, report: UsageReport, days: Sequence[date]) -> None:
    counts: defaultdict[str, Counter[date]] = defaultdict(Counter)
    refused: Counter[date] = Counter()
    for event in report.events:
        if event.event == "answers":
            counts[event.labels.get("outcome", "")][event.day] += event.count
        if event.event == "rate_limited":
            refused[event.day] += event.count
    series = {name: [float(counts[name][day]) for day in days] for name in _OUTCOMES if name in counts}
    _stack(axes, days, series, _OUTCOMES)
    if refused:
        axes.plot(list(refused), list(refused.values()), "x", color=INK, label="429", markersize=5)
    axes.set_ylabel("questions")
    _name(axes, "What came of the questions", bool(series or refused))


def _draw_stages(axes: Any, report: UsageReport) -> None:
    places = range(len(report.stages))
    slow = [max(stage.p95_ms, _LEAST_MS) for stage in report.stages]
    usual = [max(stage.p50_ms, _LEAST_MS) for stage in report.stages]
    axes.barh(places, slow, color=_COLOURS[4], height=0.62, label="p95")
    axes.barh(places, usual, color=_COLOURS[0], height=0.3, label="p50")
    axes.set_yticks(places, [f"{stage.stage} (n = {stage.count})" for stage in report.stages], fontsize=8)
    axes.invert_yaxis()
    if report.stages:
        axes.set_xscale("log")
    axes.set_xlabel("milliseconds")
    _name(axes, "How long it took", bool(report.stages))


def _stack(axes: Any, days: Sequence[date], series: dict[str, list[float]], colours: dict[str, str]) -> None:
    bottom = [0.0] * len(days)
    for name, values in series.items():
        axes.bar(days, values, bottom=bottom, color=colours[name], label=name.replace("_", " "))
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    axes.set_xlim(days[0] - timedelta(days=1), days[-1] + timedelta(days=1))
    axes.tick_params(axis="x", labelrotation=30, labelsize=8)
    if len(days) <= 10:
        axes.set_xticks(days, [f"{day:%b %d}" for day in days])


def _name(axes: Any, title: str, has_data: bool) -> None:
    if has_data:
        axes.legend(frameon=False, fontsize=8)
    else:
        axes.text(0.5, 0.5, "nothing", transform=axes.transAxes, ha="center", va="center", color=_COLOURS[5])
    tidy(axes, title)
