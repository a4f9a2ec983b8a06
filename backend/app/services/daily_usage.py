"""What the tally has counted -> the database, every few seconds, for the owner's report over days and processes.

Nobody waits for it. A batch that could not be saved is tried again as it was, and the database takes each batch once,
so that a connection cut at the wrong moment counts nothing twice; what happens meanwhile waits in the tally, which is
bounded.
"""

import asyncio
import time
from contextlib import suppress
from uuid import uuid4

import structlog

from backend.app.errors import AppError
from backend.app.services.db_service import DBService
from backend.app.services.tally import Tally, Unsaved

SAVE_EVERY_S = 10.0
FORGET_EVERY_S = 3600.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class DailyUsage:
    """One per process."""

    def __init__(self, db: DBService, tally: Tally, *, save_every_s: float = SAVE_EVERY_S) -> None:
        self._db = db
        self._tally = tally
        self._save_every_s = save_every_s
        self._writer = uuid4()
        self._number = 0
        self._batch: Unsaved | None = None
        self._has_failed = False
        self._forgot_at = float("-inf")
        self._saving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Save from now on. Needs a running event loop."""
        self._saving = asyncio.create_task(self._save_forever())

    async def close(self) -> None:
        """Save what is left, unless the database is gone."""
        if self._saving:
            self._saving.cancel()
            await asyncio.wait([self._saving])
        await self.save()

    async def save(self) -> None:
        """One statement for all that was counted, none when nothing was. Never fails."""
        for _ in range(2):  # what failed before, then what came since
            if self._batch is None:
                if self._tally.is_full:
                    log.warning("usage_not_counted", code="too_much_waiting")
                taken = self._tally.take_unsaved()
                if not len(taken):
                    return
                self._number += 1
                self._batch = taken
            if not await self._save_batch(self._batch):
                return
            self._batch = None

    async def _save_batch(self, batch: Unsaved) -> bool:
        try:
            await self._db.save_usage(self._writer, self._number, batch.events, batch.latencies)
        except AppError as failure:
            self._tell(failure.code)
            return False
        except Exception as error:  # tables that are missing: no reason to stop anything
            self._tell(type(error).__name__)
            return False
        self._has_failed = False
        return True

    def _tell(self, code: str) -> None:
        """Once until it works again."""
        if not self._has_failed:
            log.warning("usage_not_saved", code=code)
        self._has_failed = True

    async def _save_forever(self) -> None:
        while True:
            await asyncio.sleep(self._save_every_s)
            await self.save()
            if time.monotonic() - self._forgot_at >= FORGET_EVERY_S and not self._has_failed:
                self._forgot_at = time.monotonic()
                with suppress(AppError):
                    await self._db.forget_old_usage()
