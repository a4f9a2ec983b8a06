"""All that is kept of a reader, as the reader takes it away."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from backend.app.models.chat import Turn
from backend.app.models.conversation import ConversationOut
from backend.app.models.domain import Account, AnswerMode, ChapterMark, ChatTurn, ClaudeCall, Hardware, Level


class ExportedAccount(BaseModel):
    """The account with its settings. The password's hash is nobody's to take away."""

    id: int
    email: str
    name: str
    programming_level: Level
    hardware: Hardware
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> "ExportedAccount":
        """From the domain's shape."""
        return cls(
            id=account.user_id,
            email=account.email,
            name=account.name,
            programming_level=account.level,
            hardware=account.hardware,
            created_at=account.created_at.astimezone(UTC),
        )


class ExportedMark(BaseModel):
    """A chapter that the reader opened."""

    chapter_id: str
    completed: bool
    last_accessed: datetime

    @classmethod
    def of(cls, mark: ChapterMark) -> "ExportedMark":
        """From the domain's shape."""
        last_accessed = mark.last_accessed.astimezone(UTC)
        return cls(chapter_id=mark.chapter_id, completed=mark.completed, last_accessed=last_accessed)


class ExportedTurn(Turn):
    """A question and its answer."""

    mode: AnswerMode = Field(description="Who answered; refused: nobody, because the book does not.")

    @classmethod
    def of(cls, turn: ChatTurn) -> "ExportedTurn":
        """From the domain's shape."""
        return cls(**Turn.of(turn).model_dump(), mode=turn.mode)


class ExportedCall(BaseModel):
    """A call to Claude on the reader's behalf, as the ledger of money has it; costs in millionths of a dollar."""

    id: int
    started_at: datetime
    settled_at: datetime | None
    feature: str
    model: str
    prompt_version: str
    outcome: str
    reserved_microusd: int = Field(description="What it could have cost at most.")
    cost_microusd: int
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    claude_request_id: str | None

    @classmethod
    def of(cls, call: ClaudeCall) -> "ExportedCall":
        """From the domain's shape, whose names it has."""
        return cls(**asdict(call))


class ExportedSummary(BaseModel):
    """What is known at once of every reader."""

    exported_at: datetime
    account: ExportedAccount
    progress: list[ExportedMark] = Field(description="Also of chapters that the book does not have any more.")

    @classmethod
    def of(cls, account: Account, marks: Iterable[ChapterMark]) -> "ExportedSummary":
        """From the domain's shapes, as of now."""
        progress = [ExportedMark.of(mark) for mark in marks]
        return cls(exported_at=datetime.now(UTC), account=ExportedAccount.of(account), progress=progress)


class ExportedData(ExportedSummary):
    """Every row that names the reader."""

    conversations: list[ConversationOut] = Field(description="By id.")
    history: list[ExportedTurn] = Field(description="Oldest first; `conversation_id` is the `id` of a conversation.")
    claude_calls: list[ExportedCall] = Field(description="Oldest first.")
