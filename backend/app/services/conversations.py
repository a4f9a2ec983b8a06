"""The threads that questions belong to: what was said before, and remembering what is said now.

Knows whose thread is whose. A signed-in reader's turns are in the database, an anonymous reader's in memory; neither
can enter the other's threads, and nobody a stranger's.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from backend.app.errors import AppError, ConversationNotFound
from backend.app.models.domain import AnswerMode, ChatTurn, ConversationSummary, PastTurn, Reader
from backend.app.services.anonymous_threads import AnonymousThreads
from backend.app.services.db_service import DBService

TURNS = 4
"""How many past turns a question may refer to."""
TITLE_CHARS = 80

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread of one reader; `turns` oldest first. `is_lost`: it may have turns that could not be read."""

    conversation_id: UUID
    turns: tuple[PastTurn, ...] = ()
    is_lost: bool = False


class Conversations:
    """Opens and continues threads, and shows them to their owner. While questions are answered a failing database
    costs the memory, never the answer."""

    def __init__(self, db: DBService, anonymous: AnonymousThreads | None = None) -> None:
        self._db = db
        self._anonymous = anonymous or AnonymousThreads(turns_each=TURNS)

    async def open(self, claimed: str | None, reader: Reader | None) -> Conversation:
        """The thread that `claimed` names, when it is this reader's; otherwise a new one. One statement at most."""
        claimed_id = _parse(claimed)
        fresh = Conversation(uuid4())
        if claimed_id is None:
            return fresh
        try:
            turns = await self._find_turns(claimed_id, reader)
        except AppError as failure:
            log.warning("conversation_not_read", code=failure.code)
            return Conversation(fresh.conversation_id, is_lost=True)
        return Conversation(claimed_id, turns) if turns else fresh  # a thread has at least one

    async def save(
        self, conversation: Conversation, turn: PastTurn, answered_by: AnswerMode, reader: Reader | None
    ) -> bool:
        """Whether all that should be remembered was. One statement; none for an anonymous reader."""
        if reader is None:
            self._anonymous.add(conversation.conversation_id, turn)
            return True
        title = make_title(turn.question)
        try:
            await self._db.save_turn(reader.user_id, conversation.conversation_id, turn, answered_by, title)
        except AppError as failure:
            log.warning("chat_history_not_saved", code=failure.code)
            return False
        return not conversation.is_lost

    async def list_of(self, reader: Reader, limit: int, before: datetime | None = None) -> list[ConversationSummary]:
        """The one with the latest turn first; `before`: those whose last turn is older."""
        return await self._db.list_conversations(reader.user_id, limit, before)

    async def get(
        self, reader: Reader, claimed: str, limit: int, before_id: int | None = None
    ) -> tuple[ConversationSummary, list[ChatTurn]]:
        """A thread and its last turns, or the last before the turn `before_id`, oldest first. Raises
        ConversationNotFound."""
        conversation_id = _get_id(claimed)
        summary = await self._db.find_conversation(reader.user_id, conversation_id)
        if summary is None:
            raise ConversationNotFound
        turns = await self._db.list_conversation_turns(reader.user_id, conversation_id, limit, before_id)
        return summary, turns[::-1]

    async def rename(self, reader: Reader, claimed: str, title: str) -> ConversationSummary:
        """Raises ConversationNotFound."""
        conversation_id = _get_id(claimed)
        renamed = await self._db.rename_conversation(reader.user_id, conversation_id, title)
        if renamed is None:
            raise ConversationNotFound
        return renamed

    async def delete(self, reader: Reader, claimed: str) -> int:
        """Returns how many turns there were. Raises ConversationNotFound. A question that is being answered
        meanwhile begins the thread again."""
        deleted = await self._db.delete_conversation(reader.user_id, _get_id(claimed))
        if deleted is None:
            raise ConversationNotFound
        return deleted

    async def _find_turns(self, conversation_id: UUID, reader: Reader | None) -> tuple[PastTurn, ...]:
        if reader is None:
            return self._anonymous.find(conversation_id)
        turns = await self._db.list_conversation_turns(reader.user_id, conversation_id, TURNS)
        return tuple(PastTurn(turn.question, turn.answer, turn.sources, turn.outcome) for turn in reversed(turns))


def make_title(question: str) -> str:
    """One line of at most 80 characters, cut between words where there are any."""
    line = " ".join(question.split()) or question.strip()
    if len(line) <= TITLE_CHARS:
        return line
    cut = line[: TITLE_CHARS - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"


def _parse(claimed: str | None) -> UUID | None:
    try:
        return UUID(claimed)
    except (ValueError, TypeError, AttributeError):  # other frontends send "chat-<ms>"
        return None


def _get_id(claimed: str) -> UUID:
    conversation_id = _parse(claimed)
    if conversation_id is None:
        raise ConversationNotFound
    return conversation_id
