"""Chapters made before anybody asks for them: what of them is missing, and making it call by call.

Knows the order of the work, when it has to stop and what to say of it. The chapters are `AdaptationService`'s, made
from the owner's share of the money; batches are the business of `batch_sender` and `batch_fetcher`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from backend.app.errors import (
    AIServiceBusy,
    AppError,
    BudgetExhausted,
    DatabaseUnavailable,
    ModelNotConfigured,
)
from backend.app.models.adaptation import Order, Target
from backend.app.models.domain import Chapter
from backend.app.services.adaptation_plan import PlannedPiece
from backend.app.services.adaptation_service import AdaptationService, Missing
from backend.app.services.budget_records import BudgetRecords
from backend.app.services.section_costs import Cost, section_cost

IN_VAIN = 3
"""So many chapters in a row that Claude did not answer for are the last."""

Advance = Callable[[int, int], None]
"""Called with (done so far, to do)."""


@dataclass(frozen=True, slots=True)
class Job:
    """A chapter for one target, as it was found."""

    order: Order
    missing: Missing

    @property
    def is_there(self) -> bool:
        return self.missing.is_kept

    @property
    def sections(self) -> tuple[PlannedPiece, ...]:
        """Those that a model has to write."""
        return self.missing.pieces

    def cost(self, *, in_batch: bool) -> Cost:
        target = self.order.target
        return total(section_cost(target, planned, in_batch=in_batch) for planned in self.sections)


@dataclass(frozen=True, slots=True)
class Failed:
    """A chapter that could not be made, and why, in one sentence for each thing that was wrong."""

    order: Order
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of some jobs. `left` were not begun; `why_left` is why."""

    done: tuple[Order, ...] = ()
    failed: tuple[Failed, ...] = ()
    left: tuple[Order, ...] = ()
    why_left: AppError | None = None


async def money_left(db: BudgetRecords, limits: Mapping[str, int]) -> int:
    """What may still be held of these shares today, in millionths of a dollar."""
    used = await db.look_at_budget(list(limits))
    return max(0, min(limit - used.get(name, 0) for name, limit in limits.items()))


def total(costs: Iterable[Cost]) -> Cost:
    return reduce(add, costs, Cost())


async def survey(
    adaptations: AdaptationService, chapters: Sequence[Chapter], targets: Sequence[Target], advance: Advance
) -> list[Job]:
    """Every chapter for every target, in the order of the book. No call, nothing is written."""
    jobs: list[Job] = []
    for chapter in chapters:
        for target in targets:
            order = Order(target, chapter)
            jobs.append(Job(order, await adaptations.missing(order)))
            advance(len(jobs), len(chapters) * len(targets))
    return jobs


async def make(adaptations: AdaptationService, orders: Sequence[Order], advance: Advance) -> Made:
    """One chapter after the other; what is kept of its sections costs nothing. Ends early when the money is used up,
    or when Claude or the database does not answer."""
    done: list[Order] = []
    failed: list[Failed] = []
    in_vain = 0
    for index, order in enumerate(orders):
        try:
            await adaptations.generate(order, None)
        except (BudgetExhausted, DatabaseUnavailable, ModelNotConfigured) as failure:
            return Made(tuple(done), tuple(failed), tuple(orders[index:]), failure)
        except AppError as failure:
            failed.append(Failed(order, (failure.detail,)))
            in_vain = in_vain + 1 if isinstance(failure, AIServiceBusy) else 0
            if in_vain == IN_VAIN:
                return Made(tuple(done), tuple(failed), tuple(orders[index + 1 :]), failure)
        else:
            done.append(order)
            in_vain = 0
        advance(index + 1, len(orders))
    return Made(tuple(done), tuple(failed))
