"""All that is kept of a reader as one JSON text, page by page: as long as it may be, a page of it is in memory.

Between two pages nothing is held, no connection either, however slowly the reader takes it. So each page is as the
database was at its moment: what is asked or deleted meanwhile may be in or not.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol
from uuid import UUID

from pydantic import BaseModel

from backend.app.models.conversation import ConversationOut
from backend.app.models.domain import Account, ChapterMark, ChatTurn, ClaudeCall, ConversationSummary, Reader, UserId
from backend.app.models.reader_export import ExportedCall, ExportedSummary, ExportedTurn

PAGE_ROWS = 100  # of the longest turns about 2 MB


class ExportStore(Protocol):
    """What this service needs of the database."""

    async def export_account(self, user_id: UserId) -> Account: ...
    async def export_progress(self, user_id: UserId) -> list[ChapterMark]: ...
    async def export_turns(self, user_id: UserId, after_id: int, limit: int) -> list[ChatTurn]: ...
    async def export_conversations(self, user_id: UserId, after: UUID, limit: int) -> list[ConversationSummary]: ...
    async def export_claude_calls(self, user_id: UserId, after_id: int, limit: int) -> list[ClaudeCall]: ...


class ReaderExport:
    """Writes `ExportedData` in its own order."""

    def __init__(self, store: ExportStore, *, page_rows: int = PAGE_ROWS) -> None:
        self._store = store
        self._page_rows = page_rows

    async def stream(self, reader: Reader) -> AsyncGenerator[bytes]:
        """The JSON in pieces; whatever the store raises later than at the first piece leaves it without its end."""
        account = await self._store.export_account(reader.user_id)
        summary = ExportedSummary.of(account, await self._store.export_progress(reader.user_id))
        yield summary.model_dump_json().encode().removesuffix(b"}")
        async for piece in _list_of("conversations", self._conversations(reader.user_id)):
            yield piece
        async for piece in _list_of("history", self._turns(reader.user_id)):
            yield piece
        async for piece in _list_of("claude_calls", self._claude_calls(reader.user_id)):
            yield piece
        yield b"}"

    async def _conversations(self, user_id: UserId) -> AsyncIterator[Sequence[BaseModel]]:
        after = UUID(int=0)
        while page := await self._store.export_conversations(user_id, after, self._page_rows):
            yield [ConversationOut.of(conversation) for conversation in page]
            after = page[-1].conversation_id

    async def _turns(self, user_id: UserId) -> AsyncIterator[Sequence[BaseModel]]:
        after = 0
        while page := await self._store.export_turns(user_id, after, self._page_rows):
            yield [ExportedTurn.of(turn) for turn in page]
            after = page[-1].turn_id

    async def _claude_calls(self, user_id: UserId) -> AsyncIterator[Sequence[BaseModel]]:
        after = 0
        while page := await self._store.export_claude_calls(user_id, after, self._page_rows):
            yield [ExportedCall.of(call) for call in page]
            after = page[-1].id


async def _list_of(name: str, pages: AsyncIterator[Sequence[BaseModel]]) -> AsyncIterator[bytes]:
    yield f',"{name}":['.encode()
    separator = b""
    async for page in pages:
        yield separator + b",".join(each.model_dump_json().encode() for each in page)
        separator = b","
    yield b"]"
