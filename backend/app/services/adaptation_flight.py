"""Work that is done once for all who want its result, and goes on when the one who began it has left.

Knows keys, tasks and what is told on the way; nothing of chapters. Within one process; `chapter_lease` is for more.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E")

Work = Callable[[Callable[[E], None]], Awaitable[T]]
"""Gets a function to tell events with; gives the result."""


class Flight(Generic[E, T]):
    """One piece of work that is under way, with everything it has told so far."""

    def __init__(self, work: Work[E, T]) -> None:
        self._events: list[E] = []
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(work(self._tell))

    def _tell(self, event: E) -> None:
        self._events.append(event)
        news, self._news = self._news, asyncio.get_running_loop().create_future()
        news.set_result(None)

    async def listen(self, heard: int) -> AsyncGenerator[E]:
        """Its events, beginning with number `heard`, those of before at once; ends when the work has. Whoever stops
        listening does not stop it."""
        while True:
            news = self._news
            while heard < len(self._events):
                yield self._events[heard]
                heard += 1
            if self.task.done():
                return
            if not news.done():
                await asyncio.wait([self.task, news], return_when=asyncio.FIRST_COMPLETED)


class Flights(Generic[E, T]):
    """All that is under way in this process, each under its key."""

    def __init__(self) -> None:
        self._flying: dict[str, Flight[E, T]] = {}

    def join(self, key: str, work: Work[E, T]) -> tuple[Flight[E, T], bool]:
        """The flight of this key, and whether it was started by this call."""
        flying = self._flying.get(key)
        if flying is not None:
            return flying, False
        flight = self._flying[key] = Flight(work)
        flight.task.add_done_callback(lambda task: self._land(key, task))
        return flight, True

    async def close(self) -> None:
        """Cancel all and wait until they have put their things in order."""
        tasks = [flight.task for flight in self._flying.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _land(self, key: str, task: "asyncio.Future[T]") -> None:
        del self._flying[key]
        if not task.cancelled():
            task.exception()  # perhaps nobody is left to hear of it
