"""What is known of one question after it was asked. Shapes only."""

from dataclasses import dataclass
from typing import Literal

from backend.app.evaluation.questions import Question
from backend.app.models.domain import Outcome

DEPTHS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a reader would have got. `outcome` "failed": the model could not be asked. Of the `citations` that the
    model made, `true_citations` were true; `keywords`: share of the expected groups that the text holds, None where
    none are expected."""

    outcome: Outcome | Literal["failed"]
    citations: int
    true_citations: int
    keywords: float | None
    cost_microusd: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Observed:
    """What one question found. `recall` by depth, `reciprocal_rank` and `in_context` are 0 to 1, and None for a
    question without an answer; `best_cosine` is 0 when nothing was found; `found`: the first hits as links."""

    question: Question
    passed_gate: bool
    recall: tuple[float, ...] | None
    reciprocal_rank: float | None
    in_context: float | None
    best_cosine: float
    latency_ms: float
    found: tuple[str, ...]
    answer: Answered | None = None
