"""Several pieces of work at once, until the money for them is used up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from backend.app.evaluation.spending import LimitReached

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def side_by_side(
    items: Sequence[_Item],
    work: Callable[[_Item], Awaitable[_Result]],
    limit: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[_Result | None]:
    """`work` for each item, `limit` at a time, results in order. LimitReached ends it: what is running is finished,
    what is left is None. Any other failure cancels the rest and is raised."""
    results: list[_Result | None] = [None] * len(items)
    waiting = iter(list(enumerate(items)))
    done, is_over = 0, False

    async def worker() -> None:
        nonlocal done, is_over
        for number, item in waiting:
            if is_over:
                return
            try:
                results[number] = await work(item)
            except LimitReached:
                is_over = True
                return
            done += 1
            if progress:
                progress(done, len(items))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(limit, len(items))):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return results
