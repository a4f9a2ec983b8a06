"""Figures as a table on the terminal. Knows rich and nothing of how figures come about."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from backend.app.evaluation.figures import Group
from backend.app.evaluation.statistics import Figure

_COLUMNS = {
    "recall_in_context": "in context",
    "recall_at_1": "recall@1",
    "recall_at_5": "@5",
    "recall_at_10": "@10",
    "mrr_at_10": "MRR@10",
    "passed_gate": "passed gate",
}
_VIEWS = {"alone": "Asked alone", "thread": "Asked in its conversation", "standalone": "Rewritten to stand alone"}


def show(groups: Sequence[Group], console: Console) -> None:
    """One table for each view: the mean with its 95 % interval below it."""
    for view in dict.fromkeys(group.view for group in groups):
        inside = [group for group in groups if group.view == view]
        table = Table(title=_VIEWS[view], title_justify="left", pad_edge=False)
        table.add_column("questions")
        table.add_column("n", justify="right")
        for title in _COLUMNS.values():
            table.add_column(title, justify="right")
        for group in inside:
            table.add_row(_name(group), str(group.count), *(_cell(group.figures.get(key)) for key in _COLUMNS))
        console.print(table)
        everything = inside[0]
        console.print(
            f"understanding and finding: {everything.latency_ms_p50:.0f} ms median, "
            f"{everything.latency_ms_p95:.0f} ms at the 95th percentile"
        )


def _name(group: Group) -> str:
    return f"  {group.lang}" if group.kind and group.lang else group.name


def _cell(value: Figure | None) -> str:
    if value is None:
        return ""
    return f"{100 * value.value:.1f}\n[dim]{100 * value.low:.0f}-{100 * value.high:.0f}[/dim]"
