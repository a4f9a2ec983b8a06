"""Values that cost something to make, remembered for a while: bounded, and made once for all who ask at once."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedCache(Generic[K, V]):
    """The least recently used value goes first. A failure is nobody's value: it reaches all who waited for it, and
    the next one who asks tries again."""

    def __init__(self, size: int, lifetime_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._making: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """The value, made now if need be. One who stops waiting does not take it from the others."""
        kept = self._kept.get(key)
        if kept and self._clock() < kept[0]:
            self._kept.move_to_end(key)
            return kept[1]
        if key not in self._making:
            task = asyncio.ensure_future(self._make(key, make))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to see it
            self._making[key] = task
        return await asyncio.shield(self._making[key])

    async def _make(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        try:
            value = await make()
        finally:
            del self._making[key]
        self._kept[key] = (self._clock() + self._lifetime_s, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value
