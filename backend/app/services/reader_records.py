"""What a reader did with the book, and all that is kept of a reader: the part of the database service for both.

One method for each block of `progress.sql` and `export.sql`. The exporting methods give pages, so that no history is
too long for the memory of this process; each page is a statement of its own.
"""

from uuid import UUID

from backend.app.models.domain import (
    Account,
    ChapterId,
    ChapterMark,
    ChapterSummary,
    ChatTurn,
    ClaudeCall,
    ConversationSummary,
    Progress,
    UserId,
)
from backend.app.services.db_pool import Row
from backend.app.services.named_queries import NamedQueries, conversation_of, of_reader, turn_of


class ReaderRecords(NamedQueries):
    """Progress and export. Every method is about one reader, who is named first."""

    async def mark_chapter(self, user_id: UserId, chapter_id: ChapterId, completed: bool | None) -> None:
        """The chapter was opened just now; `completed` None leaves that as it is. Of simultaneous calls each counts
        and one row is left. Raises InvalidToken when the account is gone."""
        of_reader(await self._one("mark_chapter", user_id=user_id, chapter_id=chapter_id, completed=completed))

    async def get_progress(self, user_id: UserId) -> Progress:
        """Of the book as it is now: marks of chapters that it does not have are kept and not shown. Raises
        InvalidToken when the account is gone."""
        rows = await self._all("get_progress", user_id=user_id)
        *_, questions_asked = of_reader(rows[0] if rows else None)
        return Progress(tuple(_known(row) for row in rows if row[0] is not None), questions_asked)

    async def export_account(self, user_id: UserId) -> Account:
        """Raises InvalidToken when it is gone."""
        return Account(*of_reader(await self._one("export_account", user_id=user_id)))

    async def export_progress(self, user_id: UserId) -> list[ChapterMark]:
        """All marks, also of chapters that the book does not have any more."""
        return [ChapterMark(*row) for row in await self._all("export_progress", user_id=user_id)]

    async def export_turns(self, user_id: UserId, after_id: int, limit: int) -> list[ChatTurn]:
        """Oldest first, from the turn that follows `after_id` on (0: the first)."""
        rows = await self._all("export_turns", user_id=user_id, after_id=after_id, limit=limit)
        return [turn_of(row) for row in rows]

    async def export_conversations(self, user_id: UserId, after: UUID, limit: int) -> list[ConversationSummary]:
        """By id, from the thread that follows `after` on (UUID 0: the first)."""
        rows = await self._all("export_conversations", user_id=user_id, after=str(after), limit=limit)
        return [conversation_of(row) for row in rows]

    async def export_claude_calls(self, user_id: UserId, after_id: int, limit: int) -> list[ClaudeCall]:
        """Oldest first, from the call that follows `after_id` on (0: the first)."""
        rows = await self._all("export_claude_calls", user_id=user_id, after_id=after_id, limit=limit)
        return [ClaudeCall(*row) for row in rows]


def _known(row: Row) -> tuple[ChapterSummary, ChapterMark | None]:
    *chapter, completed, last_accessed, _ = row
    summary = ChapterSummary(*chapter)
    return summary, ChapterMark(summary.chapter_id, completed, last_accessed) if last_accessed else None
