"""The export on a real Postgres: every table that names a reader, every column, and nothing of anybody else."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg2.extensions
import pytest

from backend.app.models.domain import ChapterId, PastTurn, Reader, Source
from backend.app.models.reader_export import ExportedData
from backend.app.services.claude_budget import PlannedTry
from backend.app.services.claude_reply import Usage
from backend.app.services.db_service import DBService, open_db
from backend.app.services.reader_export import ReaderExport
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio

URDU = "روبوٹ کیا ہے؟ 🤖 </script> \u2028 ' \" \\ %s"
SECTIONS = {
    "users": "account",
    "user_progress": "progress",
    "conversations": "conversations",
    "chat_history": "history",
    "claude_calls": "claude_calls",
}
LEFT_OUT = {
    "users.password_hash": "a secret, of use to attackers only",
    "users.token_version": "how many logouts there were; says nothing that the reader does not know",
    "user_progress.id": "numbers rows and is used nowhere; the chapter is the key",
    "chat_history.is_partial": "`outcome` says the same",
    "claude_calls.day": "the date of `started_at`",
    "claude_calls.expires_at": "when a call counts as lost: for the sweeper only",
    "claude_calls.shares": "which sums a call that still runs is held in; empty afterwards",
}
"""Columns that no reader takes away, each with its reason. A table is never left out."""
OF_PROCESSES = {"chapter_leases"}
"""Tables whose owner is a process."""


async def export(db: DBService, reader: Reader, page_rows: int = 100) -> str:
    return b"".join([piece async for piece in ReaderExport(db, page_rows=page_rows).stream(reader)]).decode()


async def a_reader_with_something_of_everything(db: DBService, name: str) -> Reader:
    reader = await db.create_user(f"{name}@example.org", f"hash of {name}", f"{name} {URDU}", "advanced", "jetson")
    thread = uuid4()
    source = Source(ChapterId("m/1"), f"section {name}", 0.5, f"title {name}", "https://x/", f"quote {name} {URDU}")
    for number, outcome in enumerate(("answered", "partial", "not_in_book")):
        turn = PastTurn(f"question {number} {name} {URDU}", f"answer {name}", (source,), outcome)
        await db.save_turn(reader.user_id, thread, turn, "claude", f"thread of {name}")
    await db.mark_chapter(reader.user_id, ChapterId(f"chapter of {name}"), True)
    for is_settled in (True, False):
        planned = PlannedTry("answer", "model", f"prompt of {name}", reader.user_id, Usage(1, 1), 20)
        held = await db.reserve_budget(planned, 10, {"all": 1_000}, 60)
        assert held
        if is_settled:
            await db.settle_budget(held.call_id, "complete", 7, Usage(5, 4, 3, 2, 1), f"request of {name}")
    return reader


def readers_columns(cursor: psycopg2.extensions.cursor) -> dict[str, str]:
    """-> each table that names a reader: the column that does so, by a foreign key or by its name."""
    cursor.execute(
        """SELECT attrelid::regclass::text, attname FROM pg_attribute
        JOIN pg_constraint ON contype = 'f' AND confrelid = 'users'::regclass
          AND conrelid = attrelid AND attnum = conkey[1]
        UNION
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name ~ '(^|_)(user|reader|owner|account)(_id)?$'"""
    )
    named = {table: column for table, column in cursor.fetchall() if table not in OF_PROCESSES}
    return named | {"users": "id"}


def same(stored: object, exported: object) -> bool:
    """Times may be written in two ways."""
    if isinstance(stored, str) and isinstance(exported, str) and stored != exported:
        return datetime.fromisoformat(stored) == datetime.fromisoformat(exported)
    return stored == exported


async def test_every_column_of_every_table_that_names_a_reader_is_in_the_export(
    db: DBService, database_url: str
) -> None:
    reader = await a_reader_with_something_of_everything(db, "aisha")
    await a_reader_with_something_of_everything(db, "bilal")
    exported = json.loads(await export(db, reader))
    with statements(database_url) as cursor:
        tables = readers_columns(cursor)
        assert tables.keys() == SECTIONS.keys(), "a table that names readers belongs into the export, or tell why not"
        for table, column in tables.items():
            cursor.execute(f"SELECT to_jsonb({table}) FROM {table} WHERE {column} = %s", (reader.user_id,))
            stored = [row for (row,) in cursor.fetchall()]
            assert stored, f"{table}: nothing of the reader is there that could be exported"
            section = exported[SECTIONS[table]]
            assert_exported(table, column, stored, section if isinstance(section, list) else [section])


def assert_exported(table: str, owner: str, stored: list[dict[str, Any]], exported: list[dict[str, Any]]) -> None:
    assert len(stored) == len(exported), table
    wanted = [name for name in stored[0] if f"{table}.{name}" not in LEFT_OUT and (name != owner or table == "users")]
    for row in stored:
        assert any(all(same(row[name], each.get(name)) for name in wanted) for each in exported), (table, row)


async def test_nothing_of_another_reader_and_no_secret_is_in_the_export(db: DBService) -> None:
    reader, other = [await a_reader_with_something_of_everything(db, name) for name in ("aisha", "bilal")]
    text = await export(db, reader)
    assert "bilal" not in text
    assert "aisha" in text
    assert "hash" not in text
    assert "password" not in text
    assert json.loads(await export(db, other))["account"]["id"] == other.user_id


async def test_the_export_has_the_documented_shape_and_nothing_else(db: DBService) -> None:
    reader = await a_reader_with_something_of_everything(db, "aisha")
    text = await export(db, reader)
    parsed = ExportedData.model_validate_json(text)
    assert json.loads(parsed.model_dump_json()) == json.loads(text)
    assert list(json.loads(text)) == list(ExportedData.model_fields)
    assert parsed.account.name == f"aisha {URDU}"
    assert [turn.question for turn in parsed.history] == [f"question {number} aisha {URDU}" for number in range(3)]
    assert [(turn.mode, turn.grounded) for turn in parsed.history] == [("claude", True)] * 2 + [("refused", False)]


@pytest.mark.parametrize("page_rows", [1, 2, 5, 100])
async def test_no_row_is_lost_or_told_twice_between_two_pages(db: DBService, page_rows: int) -> None:
    reader = await db.create_user("a@example.org", "hash", "A", "beginner", "none")
    threads = [uuid4() for _ in range(5)]
    for number in range(10):
        await db.save_turn(reader.user_id, threads[number % 5], PastTurn(f"{number}", "a", ()), "claude", "t")
    found = json.loads(await export(db, reader, page_rows))
    assert [turn["question"] for turn in found["history"]] == [str(number) for number in range(10)]
    assert sorted(UUID(each["id"]) for each in found["conversations"]) == sorted(threads)
    assert {each["turns"] for each in found["conversations"]} == {2}


async def test_a_new_reader_takes_away_the_account(db: DBService) -> None:
    reader = await db.create_user("a@example.org", "hash", "", "beginner", "none")
    found = json.loads(await export(db, reader))
    assert {name: value for name, value in found.items() if name not in ("account", "exported_at")} == {
        "progress": [],
        "conversations": [],
        "history": [],
        "claude_calls": [],
    }


async def test_only_a_page_is_asked_for_before_the_reader_takes_the_next(db: DBService, database_url: str) -> None:
    """So a history of any length needs the memory of a page, and what is deleted meanwhile is not sent."""
    reader = await db.create_user("a@example.org", "hash", "A", "beginner", "none")
    thread = uuid4()
    for number in range(6):
        await db.save_turn(reader.user_id, thread, PastTurn(f"question {number}", "a", ()), "claude", "t")
    pieces = ReaderExport(db, page_rows=2).stream(reader)
    text = ""
    async for piece in pieces:
        text += piece.decode()
        if "question 1" in text:
            await db.delete_turns(reader.user_id)
    assert [turn["question"] for turn in json.loads(text)["history"]] == ["question 0", "question 1"]


@pytest.mark.parametrize("pieces_before", [1, 2])
async def test_an_export_that_fails_has_no_end(fresh_database_url: str, pieces_before: int) -> None:
    db = open_db(fresh_database_url)
    reader = await a_reader_with_something_of_everything(db, "aisha")
    pieces = ReaderExport(db).stream(reader)
    text = b"".join([await anext(pieces) for _ in range(pieces_before)])
    with statements(fresh_database_url) as cursor:
        cursor.execute("ALTER TABLE chat_history RENAME TO gone")
    with pytest.raises(psycopg2.ProgrammingError):
        text += b"".join([piece async for piece in pieces])
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    await db.close()
