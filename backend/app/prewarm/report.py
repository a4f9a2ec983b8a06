"""What an owner reads: what is missing and what it costs, how far the work is, what came of it."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backend.app.adaptation.languages import LANGUAGES
from backend.app.errors import BudgetExhausted
from backend.app.models.adaptation import Order, Target, Translate
from backend.app.services.batch_fetcher import Fetched
from backend.app.services.claude_prices import MICROUSD, price_table
from backend.app.services.prewarming import Advance, Job, Made, total
from backend.app.terminal import dollars, open_console

_WIDTH = 100  # where the output is no terminal
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """There was no money for `left`; a batch could not bring all sections of `failed`; one that is under way is to
    bring those of `waiting`."""

    made: Made
    fetched: Fetched = field(default_factory=Fetched)
    left: tuple[Order, ...] = ()
    failed: tuple[Order, ...] = ()
    waiting: tuple[Order, ...] = ()

    @property
    def is_complete(self) -> bool:
        open_ends = (self.made.failed, self.made.left, self.left, self.failed, self.waiting, self.fetched.troubles)
        return not any(open_ends)


def target_name(target: Target) -> str:
    if isinstance(target, Translate):
        return LANGUAGES[target.language].name
    return target.level if target.hardware == "none" else f"{target.level}, {target.hardware}"


def show(
    jobs: Sequence[Job], new: Sequence[Job], waiting: Sequence[Job], left_microusd: int, *, in_batch: bool
) -> None:
    """What is missing for each chapter and target, what making it costs, and what of that money there is."""
    console = open_console(_WIDTH)
    console.print(_table(jobs))
    if waiting:
        console.print(f"{_chapters(len(waiting))} of these with sections in a batch that is under way.")
    sections = sum(len(job.sections) for job in new)
    if not sections:
        console.print("Nothing is left to be written." if new else "Everything is there.")
        return
    cost = total(job.cost(in_batch=in_batch) for job in new)
    models = ", ".join(sorted({job.missing.plan.recipe.model for job in new if job.sections}))
    console.print(f"To write: {sections} sections of {_chapters(len(new))}, by {models}.")
    console.print(
        f"  about    {_usd(cost.expected_microusd)}  an estimate by the length of the requests, without what a"
    )
    console.print(f"           {' ' * len(_usd(cost.expected_microusd))}  model thinks before it writes")
    console.print(
        f"  at most  {_usd(cost.most_microusd)}  held before it is spent; the rest is given back afterwards"
    )
    if in_batch:
        console.print("  Both at half price: Claude works on a batch for up to a day.")
    else:
        console.print("  A section that the checks refuse is written a second time, which is in neither.")
    console.print(f"Prices of {price_table().checked_on}. Today {_usd(left_microusd)} are left for it.")
    if cost.most_microusd > left_microusd:
        console.print("That may not be enough for all: what does not fit is left for another day.")


def tell_outcome(outcome: Outcome, *, spent_microusd: int) -> None:
    """What is there now, what failed and why, what is left and when to go on, what was spent."""
    console = open_console(_WIDTH)
    made, fetched = outcome.made, outcome.fetched
    console.print(f"Made: {_chapters(len(made.done))}. Spent: {_usd(spent_microusd)}.")
    if fetched.saved or fetched.failed:
        console.print(f"The batch brought {fetched.saved} sections; {len(fetched.failed)} cannot be used.")
    reasons = [f"{_named(failed.order)}: {' '.join(failed.reasons)}" for failed in made.failed]
    for section in fetched.failed:
        place = f"{section.chapter_id} ({target_name(section.target)}), {section.section}"
        reasons.append(f"{place}: {' '.join(section.reasons)}")
    _list(console, "Failed", reasons + fetched.troubles)
    if outcome.failed:
        _list(console, "Not complete", [_named(order) for order in outcome.failed])
        console.print(
            "Run the command again for them: with --retry-failed call by call, which tells Claude what was wrong."
        )
    left = [*made.left, *outcome.left]
    if left:
        _list(console, "Left", [_named(order) for order in left])
        console.print(_when(made))
    if outcome.waiting:
        _list(console, "In a batch", [_named(order) for order in outcome.waiting])
        console.print("Run the command with --batch to fetch them.")


def tell_stopped(*, in_batch: bool) -> None:
    """After Ctrl-C."""
    more = " Claude goes on with a batch meanwhile." if in_batch else ""
    typer.echo(f"Stopped. Nothing that was paid for is lost: run the same command again to go on.{more}", err=True)


@contextmanager
def progress(label: str, *, is_quick: bool = False) -> Generator[Advance]:
    """A bar on a terminal, a line for each step forward elsewhere; nothing there for what is quick."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines("" if is_quick else label)
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True, console=console) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _lines(label: str) -> Advance:
    told = (0, 0)

    def advance(done: int, of: int) -> None:
        nonlocal told
        if label and (done, of) != told:
            told = (done, of)
            typer.echo(f"{label}: {done} of {of}", err=True)

    return advance


def _table(jobs: Sequence[Job]) -> Table:
    targets = list(dict.fromkeys(job.order.target for job in jobs))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("sections to write")
    for target in targets:
        table.add_column(target_name(target), justify="right")
    by_place = {(job.order.chapter.chapter_id, job.order.target): job for job in jobs}
    for chapter_id in dict.fromkeys(job.order.chapter.chapter_id for job in jobs):
        table.add_row(escape(chapter_id), *(_cell(by_place[chapter_id, target]) for target in targets))
    return table


def _cell(job: Job) -> str:
    return "there" if job.is_there else f"{len(job.sections)} of {len(job.missing.plan.pieces)}"


def _named(order: Order) -> str:
    return f"{order.chapter.chapter_id} ({target_name(order.target)})"


def _list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print(f"{title} ({len(lines)}):")
    more = [f"  and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    console.print("\n".join([*(f"  - {line}" for line in lines[:_LISTED]), *more]), markup=False, soft_wrap=True)


def _when(made: Made) -> str:
    if made.why_left and not isinstance(made.why_left, BudgetExhausted):
        return f"{made.why_left.detail} Then run the command again."
    hours, minutes = divmod(BudgetExhausted().retry_after_s // 60, 60)
    return f"Today's money for it is used up. Run the command again after midnight UTC, in {hours} h {minutes} min."


def _chapters(number: int) -> str:
    return "1 chapter" if number == 1 else f"{number} chapters"


def _usd(microusd: int) -> str:
    return dollars(microusd, 4 if microusd < MICROUSD else 2)
