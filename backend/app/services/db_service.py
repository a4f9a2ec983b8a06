"""Readers, their conversations, and the book's chapters in Postgres: one method per named query.

Knows the tables and turns rows into domain objects. Must not know HTTP, tokens or how text is searched.
The SQL stands in `backend/app/sql`; a method has the name of its block. Every method raises
DatabaseUnavailable when Postgres cannot be reached, and BadRequest for text it cannot store (NUL, lone
surrogates). A method that changes a reader raises InvalidToken when the account is gone.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import psycopg2.errors

from backend.app.errors import EmailTaken, InvalidToken
from backend.app.models.domain import (
    AnswerMode,
    Chapter,
    ChapterChanges,
    ChapterId,
    ChapterSummary,
    ChatTurn,
    ConversationSummary,
    Credentials,
    Hardware,
    Hit,
    Level,
    OpenQuestion,
    PastTurn,
    Reader,
    UnansweredQuestion,
    UnansweredSection,
    UserId,
)
from backend.app.services.adaptation_records import AdaptationRecords
from backend.app.services.batch_records import BatchRecords
from backend.app.services.budget_records import BudgetRecords
from backend.app.services.correction_records import CorrectionRecords
from backend.app.services.db_pool import DatabasePool, Row
from backend.app.services.migrations import apply_next_step, list_missing_steps
from backend.app.services.named_queries import conversation_of, of_reader, turn_of
from backend.app.services.reader_records import ReaderRecords
from backend.app.services.usage_records import UsageRecords

BULK_TIMEOUT_S = 60.0
"""For a whole book or a schema step: the longest that a waiting second process may have to sit through."""


class DBService(ReaderRecords, BudgetRecords, AdaptationRecords, BatchRecords, CorrectionRecords, UsageRecords):
    """All that is stored per reader and per chapter; progress and export are in `reader_records`,
    the ledger is in `budget_records`, adapted chapters are in `adaptation_records`, batches in `batch_records`,
    what people corrected in `correction_records`, what the owner is told in `usage_records`."""

    async def close(self) -> None:
        """Finish running statements and close the connections."""
        await self._pool.close()

    async def ping(self) -> None:
        """Wakes a sleeping database: use it for readiness, not for a health check that is polled."""
        await self._all("ping")

    async def migrate(self) -> list[str]:
        """Apply the missing schema steps and return their names; safe when several processes start at once.
        Raises ConfigurationError when an applied step was edited."""
        applied: list[str] = []
        while name := await self._pool.transaction(apply_next_step, timeout_s=BULK_TIMEOUT_S):
            applied.append(name)
        return applied

    async def list_missing_steps(self) -> list[str]:
        """The schema steps that `migrate` would apply."""
        return await self._pool.transaction(list_missing_steps)

    # Readers

    async def create_user(
        self, email: str, password_hash: str, name: str, level: Level, hardware: Hardware
    ) -> Reader:
        """Raises EmailTaken when the address exists in any letter case; of simultaneous calls one wins."""
        row = await self._one(
            "create_user", email=email, password_hash=password_hash, name=name, level=level, hardware=hardware
        )
        if row is None:
            raise EmailTaken
        return Reader(*row)

    async def find_reader(self, user_id: UserId) -> Reader | None:
        row = await self._one("find_reader", user_id=user_id)
        return Reader(*row) if row else None

    async def find_credentials(self, user_id: UserId) -> Credentials | None:
        row = await self._one("find_credentials", user_id=user_id)
        return _credentials(row) if row else None

    async def find_credentials_by_email(self, email: str) -> Credentials | None:
        row = await self._one("find_credentials_by_email", email=email)
        return _credentials(row) if row else None

    async def update_settings(
        self, user_id: UserId, name: str | None, level: Level | None, hardware: Hardware | None
    ) -> Reader:
        """None leaves a setting as it is."""
        row = await self._one("update_settings", user_id=user_id, name=name, level=level, hardware=hardware)
        return Reader(*of_reader(row))

    async def set_password(self, user_id: UserId, password_hash: str) -> int:
        """Returns the new token version: every token of before is dead."""
        return of_reader(await self._one("set_password", user_id=user_id, password_hash=password_hash))[0]

    async def revoke_tokens(self, user_id: UserId) -> int:
        """Returns the new token version: every token of before is dead, on all processes."""
        return of_reader(await self._one("revoke_tokens", user_id=user_id))[0]

    async def delete_user(self, user_id: UserId) -> None:
        """Removes the account with everything stored for it; deleting twice is no error."""
        await self._all("delete_user", user_id=user_id)

    # Chat history

    async def save_turn(
        self, user_id: UserId, conversation_id: UUID, turn: PastTurn, answered_by: AnswerMode, title: str
    ) -> int:
        """Returns the id of the saved turn. The first turn of a thread makes it, under `title`."""
        try:
            row = await self._one(
                "save_turn",
                user_id=user_id,
                conversation_id=str(conversation_id),
                title=title,
                question=turn.question,
                answer=turn.answer,
                sources=json.dumps([asdict(source) for source in turn.sources]),
                mode="refused" if turn.outcome == "not_in_book" else answered_by,
                is_partial=turn.outcome == "partial",
            )
        except psycopg2.errors.ForeignKeyViolation as error:
            raise InvalidToken from error
        return of_reader(row)[0]

    async def list_turns(self, user_id: UserId, limit: int) -> list[ChatTurn]:
        """Newest first."""
        return [turn_of(row) for row in await self._all("list_turns", user_id=user_id, limit=limit)]

    async def delete_turns(self, user_id: UserId) -> int:
        """Returns how many turns there were; their threads are gone with them."""
        return of_reader(await self._one("delete_turns", user_id=user_id))[0]

    # Conversations: an id that is not this reader's is as unknown as one that does not exist

    async def list_conversations(
        self, user_id: UserId, limit: int, before: datetime | None
    ) -> list[ConversationSummary]:
        """The latest first; `before`: those whose last turn is older."""
        rows = await self._all("list_conversations", user_id=user_id, limit=limit, before=before)
        return [conversation_of(row) for row in rows]

    async def find_conversation(self, user_id: UserId, conversation_id: UUID) -> ConversationSummary | None:
        row = await self._one("find_conversation", user_id=user_id, conversation_id=str(conversation_id))
        return conversation_of(row) if row else None

    async def list_conversation_turns(
        self, user_id: UserId, conversation_id: UUID, limit: int, before_id: int | None = None
    ) -> list[ChatTurn]:
        """Newest first; none for an unknown thread, because a thread has at least one."""
        binds = {"user_id": user_id, "conversation_id": str(conversation_id), "limit": limit, "before_id": before_id}
        return [turn_of(row) for row in await self._all("list_conversation_turns", **binds)]

    async def rename_conversation(
        self, user_id: UserId, conversation_id: UUID, title: str
    ) -> ConversationSummary | None:
        """None when it is not there."""
        binds = {"user_id": user_id, "conversation_id": str(conversation_id), "title": title}
        row = await self._one("rename_conversation", **binds)
        return conversation_of(row) if row else None

    async def delete_conversation(self, user_id: UserId, conversation_id: UUID) -> int | None:
        """Returns how many turns there were; None when it is not there."""
        row = await self._one("delete_conversation", user_id=user_id, conversation_id=str(conversation_id))
        return row[0] if row else None

    # What the book does not answer

    async def record_unanswered(self, unanswered: UnansweredQuestion) -> None:
        """Also removes what is too old; the table never holds more than 20,000 questions of 90 days."""
        nearest = unanswered.nearest
        await self._all(
            "record_unanswered",
            question=unanswered.question,
            language=unanswered.language,
            outcome=unanswered.outcome,
            reason=unanswered.reason,
            best_score=unanswered.best_score,
            chapter_id=nearest.chapter_id if nearest else None,
            section=nearest.section if nearest else None,
            anchor=nearest.anchor if nearest else None,
        )

    async def list_unanswered(self, days: int, limit: int, examples: int) -> list[UnansweredSection]:
        """Of the last `days`, by nearest section, the one with most questions first; `examples`: wordings of each."""
        rows = await self._all("list_unanswered", days=days, limit=limit, examples=examples)
        return [
            UnansweredSection(*fields, questions=tuple(map(OpenQuestion, *wordings)))
            for *fields, wordings in ((*row[:6], row[6:]) for row in rows)
        ]

    # Limits

    async def hit_rate_limit(self, key: str, limit: int, window_s: int) -> Hit:
        """Enter the window unless it is full, in one statement."""
        (row,) = await self._all("hit_rate_limit", key=key, limit=limit, window_s=window_s)
        return Hit(*row)

    async def take_back_rate_limit(self, key: str, entry: datetime) -> None:
        """An entry that is not there any more is no error."""
        await self._all("take_back_rate_limit", key=key, entry=entry)

    async def look_at_rate_limit(self, key: str, window_s: int) -> Hit:
        """The window as it is, without entering it."""
        (row,) = await self._all("look_at_rate_limit", key=key, window_s=window_s)
        return Hit(None, *row)

    async def sweep_rate_limits(self) -> None:
        """Forget the windows that everything has left."""
        await self._all("sweep_rate_limits")

    # The book

    async def list_chapters(self) -> list[ChapterSummary]:
        """In reading order."""
        return [ChapterSummary(*row) for row in await self._all("list_chapters")]

    async def list_chapter_hashes(self) -> dict[ChapterId, str]:
        """The content hash of each chapter, in reading order."""
        return {row[0]: row[1] for row in await self._all("list_chapter_hashes")}

    async def find_chapter(self, chapter_id: ChapterId) -> Chapter | None:
        row = await self._one("find_chapter", chapter_id=chapter_id)
        return Chapter(*row) if row else None

    async def find_chapters(self, ids: Sequence[ChapterId]) -> list[Chapter]:
        """In reading order, without those that do not exist."""
        return [Chapter(*row) for row in await self._all("find_chapters", chapter_ids=list(ids))]

    async def replace_chapters(self, chapters: Sequence[Chapter]) -> ChapterChanges:
        """Make the stored book equal to `chapters`, all or nothing; unchanged rows are not written."""
        columns = {
            "chapter_ids": [chapter.chapter_id for chapter in chapters],
            "titles": [chapter.title for chapter in chapters],
            "urls": [chapter.url for chapter in chapters],
            "modules": [chapter.module for chapter in chapters],
            "positions": [chapter.position for chapter in chapters],
            "contents": [chapter.content for chapter in chapters],
            "content_hashes": [chapter.content_hash for chapter in chapters],
            "source_paths": [chapter.source_path for chapter in chapters],
            "front_matters": [chapter.front_matter for chapter in chapters],
        }
        rows = await self._pool.rows(self._sql["replace_chapters"], columns, timeout_s=BULK_TIMEOUT_S)
        return ChapterChanges(*rows[0])


def open_db(dsn: str, *, threads: int = 2) -> DBService:
    """A service for this libpq URL. Connects at the first call, so it never fails for a sleeping database.
    `threads`: 2 beside the database; with a distant one at least requests per second times latency.
    Raises ConfigurationError for a URL that is none."""
    return DBService(DatabasePool(dsn, threads=threads))


def _credentials(row: Row) -> Credentials:
    *reader, password_hash = row
    return Credentials(Reader(*reader), password_hash)
