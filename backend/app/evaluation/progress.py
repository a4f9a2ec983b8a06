"""How far a long piece of work is, on standard error: a bar on a terminal, a line for each tenth elsewhere."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int, int], None]
"""Called with (done so far, to do)."""
_QUICK = 500  # work of fewer pieces is over before a line about it helps


@contextmanager
def shown(label: str) -> Generator[Advance]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _tenths(label)
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, console=console) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tenths(label: str) -> Advance:
    told = 0

    def advance(done: int, total: int) -> None:
        nonlocal told
        if total >= _QUICK and done * 10 // total > told:
            told = done * 10 // total
            sys.stderr.write(f"{label}: {done} of {total}\n")

    return advance
