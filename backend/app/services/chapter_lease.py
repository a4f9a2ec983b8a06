"""One process at a time adapts a chapter: whoever holds the row of its lease, and renews it while working.

Knows the lease's row; nothing of chapters. No connection is held while somebody works or waits. A process that dies
renews nothing: when its lease has run out, exactly one of those who wait goes on.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar
from uuid import uuid4

import structlog

from backend.app.errors import AppError, Unavailable
from backend.app.services.adaptation_records import AdaptationRecords

T = TypeVar("T")

LEASE_S = 30.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class GivenUp(Exception):
    """The one who held the lease failed, with this code, while others waited."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class LeaseLost(Exception):
    """The lease ran out before it could be renewed, and somebody else has it now."""


class ChapterLease:
    """For one piece of work, by one owner."""

    def __init__(self, db: AdaptationRecords, key: str, lease_s: float = LEASE_S) -> None:
        self._db = db
        self._key = key
        self._lease_s = lease_s
        self._owner = uuid4()

    async def take(self) -> bool:
        """Wait until it is ours. -> whether somebody else had it meanwhile. Raises GivenUp when that one failed."""
        waited = False
        while not await self._db.take_lease(self._key, self._owner, self._lease_s):
            await self._until_free()
            waited = True
        return waited

    async def work(self, work: Callable[[], Awaitable[T]], tell_failure: Callable[[Exception], str | None]) -> T:
        """Do this while holding the lease, then let it go. `tell_failure`: the code that those who wait should fail
        with too, None when it is no business of theirs. Raises LeaseLost, with the work stopped."""
        working, renewing = asyncio.ensure_future(work()), asyncio.ensure_future(self._renew())
        failure: str | None = None
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise LeaseLost
            return working.result()
        except Exception as error:
            failure = tell_failure(error)
            raise
        finally:
            working.cancel()
            renewing.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            with suppress(Unavailable):  # then it runs out by itself
                await self._db.give_up_lease(self._key, self._owner, failure)

    async def _until_free(self) -> None:
        wait_s = FIRST_WAIT_S
        while state := await self._db.look_at_lease(self._key):
            if state.failure:
                raise GivenUp(state.failure)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311  # spreads load, guards no secret
            wait_s = min(wait_s * 1.5, LONGEST_WAIT_S)

    async def _renew(self) -> None:
        """Returns when the lease is somebody else's. A database that does not answer is asked again."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                if not await self._db.renew_lease(self._key, self._owner, self._lease_s):
                    return
            except AppError as failure:
                log.warning("lease_not_renewed", code=failure.code)
