"""Two pictures beside the report: how far the scores of answerable questions stand from those of others, and what
share of each kind finds its answer.

matplotlib is for owners who measure, no part of the deployed service: without it there is no picture and a hint.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.app.drawing import INK, INSTALL, find_figures, plain, tidy
from backend.app.errors import EvaluationError
from backend.app.evaluation.figures import Group
from backend.app.evaluation.observed import Observed
from backend.app.evaluation.questions import is_near_domain, is_off_topic

HINT = f"For a plot beside the report: {INSTALL}"
_FOUND, _NEAR, _OFF = "#1b6ca8", "#d98a00", "#8c8c8c"
_VIEWS = {"alone": "", "thread": " (in its thread)", "standalone": " (standalone)"}
_COLOURS = {"alone": _FOUND, "thread": "#6aa6cf", "standalone": "#a9c9df"}


def draw(
    path: Path, title: str, observed: Sequence[Observed], groups: Sequence[Group], threshold: float | None
) -> bool:
    """Writes a PNG; False without matplotlib. Raises EvaluationError when the file cannot be written."""
    figures = find_figures()
    if figures is None:
        return False
    bars = [group for group in groups if "recall_in_context" in group.figures]
    picture = figures.Figure(figsize=(12, max(4.5, 1.6 + 0.32 * len(bars))), layout="constrained")
    left, right = picture.subplots(1, 2)
    _draw_scores(left, observed, threshold)
    _draw_recall(right, bars)
    picture.suptitle(plain(title), color=INK)
    try:
        picture.savefig(path, dpi=120)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}.") from None
    return True


def _draw_scores(axes: Any, observed: Sequence[Observed], threshold: float | None) -> None:
    kinds = (
        ("answerable", _FOUND, [seen.best_cosine for seen in observed if seen.question.answerable]),
        ("near the subject, not in the book", _NEAR, [s.best_cosine for s in observed if is_near_domain(s.question)]),
        ("off topic", _OFF, [seen.best_cosine for seen in observed if is_off_topic(seen.question)]),
    )
    bins = np.linspace(0, 1, 26)
    for name, colour, scores in kinds:
        if scores:
            shares = np.full(len(scores), 100 / len(scores))
            label = f"{name} (n = {len(scores)})"
            axes.hist(scores, bins, weights=shares, color=colour, alpha=0.25, histtype="stepfilled")
            axes.hist(scores, bins, weights=shares, color=colour, linewidth=1.8, histtype="step", label=label)
    if threshold is not None:
        axes.axvline(threshold, color=INK, linestyle=":", linewidth=1, label=f"RETRIEVAL_THRESHOLD ({threshold:g})")
    axes.set(xlabel="cosine of the best passage", ylabel="% of the questions", xlim=(0, 1))
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    tidy(axes, "Answerable questions against the others")


def _draw_recall(axes: Any, groups: Sequence[Group]) -> None:
    places = np.arange(len(groups))
    shown = [group.figures["recall_in_context"] for group in groups]
    values = np.array([100 * one.value for one in shown])
    below, above = values - [100 * one.low for one in shown], np.array([100 * one.high for one in shown]) - values
    spread = np.clip([below, above], 0, None)
    colours = [_COLOURS[group.view] for group in groups]
    axes.barh(places, values, xerr=spread, color=colours, height=0.62, error_kw={"ecolor": INK, "elinewidth": 1})
    names = [
        f"{plain(group.name)}{_VIEWS[group.view]}, n = {one.count}" for group, one in zip(groups, shown, strict=True)
    ]
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="% whose answer is in the passages that are read (95 % interval)", xlim=(0, 100))
    tidy(axes, "Answers found")
