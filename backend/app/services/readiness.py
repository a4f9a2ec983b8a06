"""Asks every dependency whether it answers. Knows their pings, not what they are."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from backend.app.errors import AppError

Ping = Callable[[], Awaitable[None]]
_TIMEOUT_S = 2.0
_KEEP_S = 2.0  # a load balancer that asks often must not become load itself


class Readiness:
    """`pings` maps a dependency's name to a call that returns when it answers and raises when not."""

    def __init__(self, pings: Mapping[str, Ping], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pings = dict(pings)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._checks: dict[str, str] = {}
        self._checked_at = float("-inf")

    async def check(self) -> dict[str, str]:
        """name -> "ok", "timeout" or the failure's code. Pings all at once, at most every two seconds."""
        async with self._lock:
            if self._clock() - self._checked_at >= _KEEP_S:
                states = await asyncio.gather(*(_state(ping) for ping in self._pings.values()))
                self._checks = dict(zip(self._pings, states, strict=True))
                self._checked_at = self._clock()
            return self._checks


async def _state(ping: Ping) -> str:
    try:
        await asyncio.wait_for(ping(), _TIMEOUT_S)
    except TimeoutError:
        return "timeout"
    except AppError as error:
        return error.code
    return "ok"
