"""Many marks of one chapter at the same moment: one row, and nothing of a mark is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from backend.app.errors import InvalidToken
from backend.app.models.domain import ChapterId, Reader
from backend.app.services.db_service import DBService, open_db
from tests.fixtures.database import statements

pytestmark = [pytest.mark.anyio, pytest.mark.race]
AT_ONCE = 50
CHAPTER = ChapterId("foundations/sensors")


@pytest.fixture
async def reader(db: DBService) -> Reader:
    return await db.create_user("sana@example.com", "hash", "Sana", "beginner", "none")


@pytest.fixture
async def processes(database_url: str, reader: Reader) -> AsyncIterator[list[DBService]]:
    """Two, with four connections each."""
    services = [open_db(database_url, threads=4) for _ in range(2)]
    yield services
    for service in services:
        await service.close()


def rows(database_url: str) -> list[tuple[object, ...]]:
    with statements(database_url) as cursor:
        cursor.execute("SELECT chapter_id, completed FROM user_progress")
        return cursor.fetchall()


async def test_fifty_marks_at_once_leave_one_row(
    database_url: str, processes: list[DBService], reader: Reader
) -> None:
    for _ in range(20):
        await asyncio.gather(
            *(processes[number % 2].mark_chapter(reader.user_id, CHAPTER, True) for number in range(AT_ONCE))
        )
        assert rows(database_url) == [(CHAPTER, True)]
        with statements(database_url) as cursor:
            cursor.execute("DELETE FROM user_progress")


async def test_opening_a_chapter_fifty_times_while_it_is_completed_does_not_take_that_back(
    database_url: str, processes: list[DBService], reader: Reader
) -> None:
    for _ in range(20):
        await asyncio.gather(
            *(
                processes[number % 2].mark_chapter(reader.user_id, CHAPTER, True if number == 25 else None)
                for number in range(AT_ONCE)
            )
        )
        assert rows(database_url) == [(CHAPTER, True)]
        with statements(database_url) as cursor:
            cursor.execute("DELETE FROM user_progress")


async def test_marks_while_the_account_is_deleted_are_stored_or_refused_and_never_left_behind(
    database_url: str, db: DBService, processes: list[DBService]
) -> None:
    outcomes: Counter[type] = Counter()
    for number in range(20):
        leaving = await db.create_user(f"{number}@example.com", "hash", "Sana", "beginner", "none")
        marks = [
            processes[turn % 2].mark_chapter(leaving.user_id, ChapterId(f"chapter {turn}"), True)
            for turn in range(20)
        ]
        marks.insert(10, db.delete_user(leaving.user_id))
        outcomes.update(type(result) for result in await asyncio.gather(*marks, return_exceptions=True))
        assert rows(database_url) == []
    assert outcomes.keys() == {type(None), InvalidToken}
