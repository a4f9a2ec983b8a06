"""Where the requests of a moving window are remembered: in this process or in Postgres (`redis_windows`: in Redis).

Knows keys, times and numbers; nothing of readers or of what a limit is for. A request enters a window when fewer than
the limit did so within its last seconds; a refused one leaves no trace. An entry can be taken back, so that a request
that we could not serve costs nothing.
"""

import time
from contextlib import suppress
from typing import Protocol

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.storage.memory import Entry
from limits.aio.strategies import MovingWindowRateLimiter

from backend.app.errors import Unavailable
from backend.app.models.domain import Hit
from backend.app.services.db_service import DBService
from backend.app.utils.config import Settings

MAX_KEYS = 50_000  # about 40 MB with five entries each
SWEEP_EVERY_S = 600.0


class Windows(Protocol):
    """One place that remembers windows. Every call raises an Unavailable when that place does not answer."""

    async def hit(self, item: RateLimitItem, subject: str) -> Hit:
        """Enter the subject's window if it is not full; atomic among all who share this place."""
        ...

    async def take_back(self, item: RateLimitItem, subject: str, hit: Hit) -> None:
        """Undo exactly this entry. One that has left the window meanwhile is no error."""
        ...

    async def look(self, item: RateLimitItem, subject: str) -> Hit:
        """The window as it is now, without entering it."""
        ...

    async def close(self) -> None: ...


def open_windows(settings: Settings, db: DBService) -> Windows:
    """The windows of RATE_LIMIT_STORAGE. Connects at the first call."""
    match settings.rate_limit_storage.get_secret_value():
        case "memory":
            return MemoryWindows()
        case "postgres":
            return PostgresWindows(db)
        case url:
            from backend.app.services.redis_windows import RedisWindows

            return RedisWindows(url)


class MemoryWindows:
    """The windows of this process, kept by the `limits` library. Forgotten when it ends."""

    def __init__(self, *, max_keys: int = MAX_KEYS) -> None:
        self._storage = _BoundedStorage(max_keys)
        self._window = MovingWindowRateLimiter(self._storage)

    async def hit(self, item: RateLimitItem, subject: str) -> Hit:
        entered = await self._window.hit(item, subject)
        entry = self._storage.events[item.key_for(subject)][0] if entered else None
        return await self._state(item, subject, entry)

    async def take_back(self, item: RateLimitItem, subject: str, hit: Hit) -> None:
        self._storage.release_entry(item.key_for(subject), hit.entry)

    async def look(self, item: RateLimitItem, subject: str) -> Hit:
        return await self._state(item, subject, None)

    async def close(self) -> None:
        """Nothing is open."""

    async def _state(self, item: RateLimitItem, subject: str, entry: Entry | None) -> Hit:
        frees_at, remaining = await self._window.get_window_stats(item, subject)
        used = item.amount - remaining
        return Hit(entry, used, max(frees_at - time.time(), 0) if used else 0)


class _BoundedStorage(MemoryStorage):
    """The library's storage with a bound and a way back, and without its sweep, which looks at every key after each
    hit: 1.6 s of CPU with 10,000 keys. Nothing here awaits, so that each call is atomic among the tasks of a loop."""

    def __init__(self, max_keys: int) -> None:
        super().__init__()
        self._max_keys = max_keys

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        if key not in self.events and len(self.events) >= self._max_keys:
            self._forget_idle()
        entries = self.events.setdefault(key, [])
        newest_that_must_have_left = entries[limit - amount : limit - amount + 1]
        if any(entry.atime >= time.time() - expiry for entry in newest_that_must_have_left):
            return False
        entries[:0] = [Entry(expiry) for _ in range(amount)]
        del entries[limit:]
        return True

    def release_entry(self, key: str, entry: Entry) -> None:
        left = [each for each in self.events.get(key, []) if each is not entry]
        if left:
            self.events[key] = left
        else:
            self.events.pop(key, None)

    def _forget_idle(self) -> None:
        """Keep nine tenths: whose last request is the longest ago is forgotten first, so room is made rarely."""
        by_idleness = sorted(self.events, key=lambda key: self.events[key][0].atime)
        for key in by_idleness[: self._max_keys // 10 + 1]:
            del self.events[key]


class PostgresWindows:
    """One row for each window, in the database that all processes share. One statement for each call."""

    def __init__(self, db: DBService) -> None:
        self._db = db
        self._swept_at = time.monotonic()

    async def hit(self, item: RateLimitItem, subject: str) -> Hit:
        if time.monotonic() - self._swept_at > SWEEP_EVERY_S:
            self._swept_at = time.monotonic()
            with suppress(Unavailable):  # tidying up later is no reason to refuse
                await self._db.sweep_rate_limits()
        return await self._db.hit_rate_limit(item.key_for(subject), item.amount, item.get_expiry())

    async def take_back(self, item: RateLimitItem, subject: str, hit: Hit) -> None:
        await self._db.take_back_rate_limit(item.key_for(subject), hit.entry)

    async def look(self, item: RateLimitItem, subject: str) -> Hit:
        return await self._db.look_at_rate_limit(item.key_for(subject), item.get_expiry())

    async def close(self) -> None:
        """Whoever opened the database closes it."""
