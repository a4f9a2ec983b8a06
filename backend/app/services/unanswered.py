"""What readers asked and the book does not answer, kept for its author and without the reader.

Knows what must not be kept and that nobody may wait for it. A question is masked and written after its answer has
left; one that cannot be written is lost, with a line in the log.
"""

import asyncio
import re
from dataclasses import replace

import structlog

from backend.app.errors import AppError
from backend.app.models.domain import UnansweredQuestion
from backend.app.services.db_service import DBService

MAX_CHARS = 500
MAX_WAITING = 50
"""Questions that wait for a database that is slow or gone; what exceeds them is not kept."""

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+[@＠][\w-]+(?:\.[\w-]+)+")
_BETWEEN_DIGITS = r"[\s.()/\-\u2010-\u2015]{0,2}"
_LONG_NUMBER = re.compile(rf"\+?\d(?:{_BETWEEN_DIGITS}\d){{6,}}")  # the shortest telephone numbers have 7 digits

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def mask(question: str) -> str:
    """Without e-mail addresses and without runs of seven or more digits of any script, spaced or not: telephone,
    card and identity numbers. Names of people stay: nothing tells them from names in the book."""
    return _LONG_NUMBER.sub("[number]", _EMAIL.sub("[e-mail]", question))[:MAX_CHARS]


class UnansweredLog:
    """One per process."""

    def __init__(self, db: DBService) -> None:
        self._db = db
        self._saving: set[asyncio.Task[None]] = set()

    def record(self, unanswered: UnansweredQuestion) -> None:
        """Returns at once and never fails; needs a running event loop."""
        if len(self._saving) >= MAX_WAITING:
            log.warning("unanswered_not_recorded", code="too_many_waiting")
            return
        task = asyncio.create_task(self._save(replace(unanswered, question=mask(unanswered.question))))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._saving)

    async def _save(self, unanswered: UnansweredQuestion) -> None:
        try:
            await self._db.record_unanswered(unanswered)
        except AppError as failure:
            log.warning("unanswered_not_recorded", code=failure.code)
        except Exception:  # tables that are missing, a bug of ours: whoever closes must not meet it
            log.exception("unanswered_not_recorded")
