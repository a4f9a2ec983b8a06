"""An earlier report against what was measured now: which figures got worse? Pure.

Figures are computed anew over the questions that both have, so that a question added to the set changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.evaluation.figures import Group, summarise
from backend.app.evaluation.observed import Observed
from backend.app.evaluation.report import read_observed

TOLERATED_POINTS = 2.0
BETTER_HIGH = (
    *("recall_in_context", "recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10"),
    *("grounded", "refusal_recall", "refusal_precision", "true_citations", "keywords"),
)
BETTER_LOW = ("wrong_refusals", "off_topic_passes")
"""Near-domain questions should reach the model, which refuses them: their share through the gate is no quality."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one group, as a share of 1. `points`: by how much it got better; negative is worse."""

    group: Group
    figure: str
    before: float
    now: float

    @property
    def points(self) -> float:
        gained = 100 * (self.now - self.before)
        return -gained if self.figure in BETTER_LOW else gained


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compared`: questions that both have. `lost`: those whose answer was in the context and is not any more."""

    compared: int
    changes: tuple[Change, ...]
    lost: tuple[Observed, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """What fell by more than is tolerated; rounding of the stored figures is no fall."""
        return tuple(change for change in self.changes if change.points < -TOLERATED_POINTS - 1e-6)


def compare(observed: Sequence[Observed], earlier: Mapping[str, Mapping[str, Any]]) -> Comparison:
    """`earlier`: the results of `report.Earlier`."""
    pairs = [
        (before, seen)
        for seen in observed
        if (result := earlier.get(seen.question.key)) and (before := read_observed(seen.question, result))
    ]
    were, are = [before for before, _ in pairs], [seen for _, seen in pairs]
    changes = tuple(
        Change(group, name, then.figures[name].value, group.figures[name].value)
        for then, group in zip(summarise(were), summarise(are), strict=True)
        for name in (*BETTER_HIGH, *BETTER_LOW)
        if name in group.figures and name in then.figures
    )
    lost = tuple(seen for before, seen in pairs if (seen.in_context or 0) < (before.in_context or 0))
    return Comparison(len(pairs), changes, lost)
