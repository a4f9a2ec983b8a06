"""Values that cost something to make, remembered for a while: bounded, and made once for all who ask at once."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Making(Generic[V]):
    task: asyncio.Task[V]
    waiting: int = 0


class SharedCache(Generic[K, V]):
    """The least recently used value goes first. A failure is nobody's value: it reaches all who waited for it, and
    the next one who asks tries again."""

    def __init__(self, size: int, lifetime_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._making: dict[K, _Making[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """The value, made now if need be. One who stops waiting does not take it from the others; when nobody waits
        any more, the making is cancelled."""
        kept = self._kept.get(key)
        if kept and self._clock() < kept[0]:
            self._kept.move_to_end(key)
            return kept[1]
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = _Making(asyncio.create_task(self._make(key, make)))
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting:
                making.task.cancel()
                del self._making[key]

    async def _make(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        value = await make()
        self._kept[key] = (self._clock() + self._lifetime_s, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value
