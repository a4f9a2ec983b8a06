"""Many callers at once on a real Postgres."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from backend.app.errors import EmailTaken
from backend.app.models.domain import Chapter, ChapterId, PastTurn, Reader
from backend.app.services.db_service import DBService, open_db

pytestmark = [pytest.mark.anyio, pytest.mark.race]

ADDRESS = "aisha.khan@example.org"


def _in_some_letter_case(number: int) -> str:
    return (
        "".join(letter.upper() if number >> position & 1 else letter for position, letter in enumerate(ADDRESS[:8]))
        + ADDRESS[8:]
    )


async def test_of_200_simultaneous_signups_with_one_address_exactly_one_wins(database_url: str):
    services = [open_db(database_url, threads=4) for _ in range(2)]
    signups = [
        services[number % 2].create_user(_in_some_letter_case(number), "hash", f"{number}", "beginner", "none")
        for number in range(200)
    ]
    results = await asyncio.gather(*signups, return_exceptions=True)
    assert Counter(type(result) for result in results) == {Reader: 1, EmailTaken: 199}
    for service in services:
        await service.close()


async def test_200_parallel_calls_on_two_threads_are_all_answered(db: DBService):
    reader = await db.create_user(ADDRESS, "hash", "Aisha", "beginner", "none")
    assert await asyncio.gather(*(db.find_reader(reader.user_id) for _ in range(200))) == [reader] * 200


async def test_turns_saved_at_once_are_all_there(db: DBService):
    reader = await db.create_user(ADDRESS, "hash", "Aisha", "beginner", "none")
    saves = [
        db.save_turn(reader.user_id, uuid4(), PastTurn(f"{number}", "a", ()), "claude", "title")
        for number in range(100)
    ]
    ids = await asyncio.gather(*saves)
    turns = await db.list_turns(reader.user_id, 1000)
    assert [turn.turn_id for turn in turns] == sorted(ids, reverse=True)
    assert {turn.question for turn in turns} == {str(number) for number in range(100)}


async def test_every_logout_counts(db: DBService):
    reader = await db.create_user(ADDRESS, "hash", "Aisha", "beginner", "none")
    versions = await asyncio.gather(*(db.revoke_tokens(reader.user_id) for _ in range(50)))
    assert sorted(versions) == list(range(1, 51))


async def test_books_replaced_at_once_leave_one_of_them_whole(database_url: str):
    def book(edition: int) -> list[Chapter]:
        return [
            Chapter(ChapterId(f"c{number}"), f"{edition}", "/", "M", number, "text", f"{edition}", "c.md")
            for number in range(30)
        ]

    services = [open_db(database_url) for _ in range(2)]
    await asyncio.gather(*(services[edition % 2].replace_chapters(book(edition)) for edition in range(20)))
    stored = await services[0].find_chapters([chapter.chapter_id for chapter in book(0)])
    assert len(stored) == 30
    assert len({chapter.title for chapter in stored}) == 1
    for service in services:
        await service.close()
