"""A reader's threads as the API shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from backend.app.models.chat import Turn
from backend.app.models.domain import ChatTurn, ConversationSummary
from backend.app.models.text import TrimmedText

MAX_TITLE_CHARS = 200


def _one_line(title: str) -> str:
    line = " ".join(title.split())
    if not line:
        raise ValueError("Must not be empty.")
    return line


class Rename(BaseModel):
    """Another title. Line breaks and repeated spaces become one space."""

    title: Annotated[TrimmedText, Field(min_length=1, max_length=MAX_TITLE_CHARS), AfterValidator(_one_line)]


class ConversationOut(BaseModel):
    """One thread of questions."""

    id: UUID = Field(description="What /api/chat/ask calls `conversation_id`.")
    title: str = Field(description="The beginning of the first question, or what the reader called it.")
    turns: int = Field(description="How many questions it has.")
    created_at: datetime
    updated_at: datetime = Field(description="The time of the last question.")

    @classmethod
    def of(cls, conversation: ConversationSummary) -> "ConversationOut":
        """From the domain's shape."""
        return cls(
            id=conversation.conversation_id,
            title=conversation.title,
            turns=conversation.turns,
            created_at=conversation.created_at.astimezone(UTC),  # "Z": "+05:00" would not survive a query string
            updated_at=conversation.updated_at.astimezone(UTC),
        )


class ConversationList(BaseModel):
    """The reader's threads, the one with the latest question first."""

    conversations: list[ConversationOut]


class ConversationWithTurns(BaseModel):
    """A thread and its latest questions, oldest first."""

    conversation: ConversationOut
    history: list[Turn]

    @classmethod
    def of(cls, conversation: ConversationSummary, turns: Sequence[ChatTurn]) -> "ConversationWithTurns":
        """From the domain's shapes."""
        return cls(conversation=ConversationOut.of(conversation), history=[Turn.of(turn) for turn in turns])
