"""What every part of the database service rests on: a named block of `backend/app/sql`, run on the pool.

A part is a class below this one with the methods of some tables, and `DBService` is all of them. Knows of the tables
only the rows that more than one part reads.
"""

from uuid import UUID

from backend.app.errors import InvalidToken
from backend.app.models.domain import ChatTurn, ConversationSummary, Source
from backend.app.services.db_pool import DatabasePool, Row
from backend.app.sql import load_queries
from backend.app.utils.threads import ThreadUse


class NamedQueries:
    """Runs blocks by their names. Raises what the pool raises: DatabaseUnavailable, BadRequest."""

    def __init__(self, pool: DatabasePool) -> None:
        self._pool = pool
        self._sql = load_queries()

    @property
    def threads(self) -> ThreadUse:
        """How busy the pool is."""
        return self._pool.use

    async def _all(self, query: str, **binds: object) -> list[Row]:
        return await self._pool.rows(self._sql[query], binds)

    async def _one(self, query: str, **binds: object) -> Row | None:
        rows = await self._all(query, **binds)
        return rows[0] if rows else None


def of_reader(row: Row | None) -> Row:
    """The row of a statement that returns one as long as the reader exists. Raises InvalidToken."""
    if row is None:
        raise InvalidToken
    return row


def turn_of(row: Row) -> ChatTurn:
    """A row of chat_history."""
    turn_id, conversation_id, question, answer, sources, mode, outcome, created_at = row
    found = tuple(Source(**source) for source in sources)
    return ChatTurn(turn_id, UUID(conversation_id), question, answer, found, mode, outcome, created_at)


def conversation_of(row: Row) -> ConversationSummary:
    """A row of conversations and the number of its turns."""
    conversation_id, *fields = row
    return ConversationSummary(UUID(conversation_id), *fields)
