"""Figures as tables on the terminal. Knows rich and nothing of how figures come about."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.app.evaluation.baseline import TOLERATED_POINTS, Comparison
from backend.app.evaluation.figures import Group
from backend.app.evaluation.observed import Observed
from backend.app.evaluation.report import ModelUse, Report
from backend.app.evaluation.statistics import Figure
from backend.app.services.claude_prices import MICROUSD, price_table

_RETRIEVAL = {
    "recall_in_context": "in\ncontext",
    "recall_at_1": "recall\n@1",
    "recall_at_5": "\n@5",
    "recall_at_10": "\n@10",
    "mrr_at_10": "MRR\n@10",
    "passed_gate": "passed\ngate",
}
_ANSWERS = {
    "grounded": "ground-\ned",
    "refusal_recall": "rightly\nrefused",
    "refusal_precision": "refusal\nright",
    "partial": "\npartial",
    "true_citations": "cited\ntruly",
    "keywords": "key-\nwords",
}
_VIEWS = {"alone": "Asked alone", "thread": "Asked in its conversation", "standalone": "Rewritten to stand alone"}
_GATE = {
    "wrong_refusals": "answerable but refused by the gate",
    "near_domain_passes": "near the subject but not in the book, passed",
    "off_topic_passes": "off topic, passed",
}
WIDTH = 100  # where the output is no terminal
_LISTED = 10


def show(report: Report, console: Console) -> None:
    """One table for each view, one more for its answers: means in % with the 95 % interval below."""
    for view in dict.fromkeys(group.view for group in report.groups):
        inside = [group for group in report.groups if group.view == view]
        console.print(_table(_VIEWS[view], inside, _RETRIEVAL))
        _tell_gate(inside[0], console)
        if any(name in inside[0].figures for name in _ANSWERS):
            console.print(_table(f"{_VIEWS[view]}: answers", inside, _ANSWERS))
    if report.model_use:
        _tell_cost(report, report.model_use, console)
    if report.unreachable:
        console.print("No passage holds the gold of these questions, so they cannot be found:")
        console.print(listed(report.unreachable), markup=False)


def _tell_gate(everything: Group, console: Console) -> None:
    for name, meaning in _GATE.items():
        if name in everything.figures:
            console.print(f"  {_counted(everything.figures[name])} {meaning}")
    console.print(
        f"  understanding and finding takes {everything.latency_ms_p50:.0f} ms (median), "
        f"{everything.latency_ms_p95:.0f} ms (95th percentile)\n"
    )


def _tell_cost(report: Report, used: ModelUse, console: Console) -> None:
    dollars = used.cost_microusd / MICROUSD
    console.print(f"{used.model} cost ${dollars:.4f} (prices of {price_table().checked_on}).")
    failed = sum(seen.answer is not None and seen.answer.outcome == "failed" for seen in report.observed)
    if failed:
        console.print(
            f"{failed} questions got no answer because Claude failed; they are in no figure of the answers."
        )
    if report.unasked:
        console.print(f"{report.unasked} questions were not asked: --max-usd was reached.")


def show_comparison(comparison: Comparison, console: Console) -> None:
    """What fell, or that nothing did."""
    same = f"over {comparison.compared} questions that both have"
    if not comparison.worse:
        console.print(f"No figure is more than {TOLERATED_POINTS:g} points worse than in the baseline, {same}.")
        return
    table = Table(title=f"Worse than in the baseline, {same}", title_justify="left")
    for title in ("view", "questions", "figure"):
        table.add_column(title)
    for title in ("before", "now", "points"):
        table.add_column(title, justify="right")
    for change in comparison.worse:
        before, now = f"{100 * change.before:.1f}", f"{100 * change.now:.1f}"
        table.add_row(
            change.group.view, escape(change.group.name), change.figure, before, now, f"{change.points:+.1f}"
        )
    console.print(table)
    if comparison.lost:
        console.print("Questions whose answer is not read any more:")
        console.print(listed([_described(seen) for seen in comparison.lost]), markup=False)


def listed(lines: Sequence[str]) -> str:
    """The first of them, one a line, and how many more."""
    more = [f"  and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "\n".join([*(f"  - {line}" for line in lines[:_LISTED]), *more])


def _described(seen: Observed) -> str:
    return f"{seen.question.question_id} ({seen.question.view}): {' '.join(seen.question.text.split())[:70]}"


def _table(title: str, groups: Sequence[Group], columns: dict[str, str]) -> Table:
    used = {key: name for key, name in columns.items() if any(key in group.figures for group in groups)}
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("\nquestions", no_wrap=True)
    for name in ("\nn", *used.values()):
        table.add_column(name, justify="right", no_wrap=True)
    for group in groups:
        table.add_row(_indented(group), str(group.count), *(_cell(group.figures.get(key)) for key in used))
    return table


def _indented(group: Group) -> str:
    return escape(f"  {group.lang}" if group.kind and group.lang else group.name)


def _cell(value: Figure | None) -> str:
    if value is None:
        return ""
    return f"{100 * value.value:.1f}\n[dim]{100 * value.low:.0f}-{100 * value.high:.0f}[/dim]"


def _counted(value: Figure) -> str:
    share = f"{100 * value.value:.1f} %, {100 * value.low:.1f}-{100 * value.high:.1f}"
    return f"{round(value.value * value.count)} of {value.count} ({share})"
