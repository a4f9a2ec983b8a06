"""The threads that questions belong to: what was said before, and remembering what is said now.

Knows whose thread is whose. A reader's turns are in the database.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog

from backend.app.errors import AppError
from backend.app.models.domain import AnswerMode, PastTurn, Reader
from backend.app.services.db_service import DBService

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread of one reader; `turns` oldest first. `is_lost`: it may have turns that could not be read."""

    conversation_id: UUID
    turns: tuple[PastTurn, ...] = ()
    is_lost: bool = False


class Conversations:
    """Opens and continues threads. A failing database costs the memory, never the answer."""

    def __init__(self, db: DBService) -> None:
        self._db = db

    async def open(self, claimed: str | None, reader: Reader | None) -> Conversation:
        """The thread that `claimed` names, when it is this reader's; otherwise a new one."""
        fresh = Conversation(uuid4())
        try:
            conversation_id = UUID(claimed)
        except (ValueError, TypeError, AttributeError):  # other frontends send "chat-<ms>"
            return fresh
        if reader is None:
            return fresh
        try:
            owned = await self._db.owns_conversation(reader.user_id, conversation_id)
        except AppError as failure:
            log.warning("conversation_not_read", code=failure.code)
            return Conversation(fresh.conversation_id, is_lost=True)
        return Conversation(conversation_id) if owned else fresh

    async def save(self, conversation: Conversation, turn: PastTurn, mode: AnswerMode, reader: Reader | None) -> bool:
        """Whether all that should be remembered was. Anonymous turns leave nothing behind."""
        if reader is None:
            return True
        try:
            await self._db.save_turn(
                reader.user_id, conversation.conversation_id, turn.question, turn.answer, turn.sources, mode
            )
        except AppError as failure:
            log.warning("chat_history_not_saved", code=failure.code)
            return False
        return not conversation.is_lost
