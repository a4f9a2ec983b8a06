"""Many questions of one thread at the same moment: all are remembered, in one order, by one thread."""

import asyncio
from uuid import uuid4

import pytest

from backend.app.models.domain import PastTurn, Reader
from backend.app.services.conversations import TURNS, Conversation, Conversations
from backend.app.services.db_service import DBService, open_db
from tests.fixtures.database import statements

pytestmark = [pytest.mark.anyio, pytest.mark.race]
AT_ONCE = 50


@pytest.fixture
async def reader(db: DBService) -> Reader:
    return await db.create_user("sana@example.com", "hash", "Sana", "beginner", "none")


def turn(number: int) -> PastTurn:
    return PastTurn(f"question {number}", "answer", ())


@pytest.mark.parametrize("is_new", [True, False])
async def test_fifty_turns_of_one_thread_are_all_saved_in_one_order(
    database_url: str, db: DBService, reader: Reader, is_new: bool
) -> None:
    """From two processes with four connections each, also when each of them believes to begin the thread."""
    services = [open_db(database_url, threads=4) for _ in range(2)]
    threads = [Conversations(service) for service in services]
    thread = Conversation(uuid4())
    if not is_new:
        await threads[0].save(thread, turn(-1), "claude", reader)
    saved = await asyncio.gather(
        *(threads[number % 2].save(thread, turn(number), "claude", reader) for number in range(AT_ONCE))
    )
    assert all(saved)
    (summary,) = await db.list_conversations(reader.user_id, 10, None)
    assert summary.turns == AT_ONCE + (not is_new)
    turns = await db.list_conversation_turns(reader.user_id, thread.conversation_id, 100)
    assert len({each.question for each in turns}) == summary.turns
    times = [each.created_at for each in turns]
    assert times == sorted(times, reverse=True), "the order of the ids is the order in time"
    opened = await threads[0].open(str(thread.conversation_id), reader)
    assert [each.question for each in opened.turns] == [each.question for each in turns[:TURNS]][::-1]
    for service in services:
        await service.close()


async def test_turns_saved_while_the_history_is_deleted_leave_no_turn_without_its_thread(
    database_url: str, db: DBService, reader: Reader
) -> None:
    threads = Conversations(db)
    shared = [Conversation(uuid4()) for _ in range(3)]

    async def save(number: int) -> None:
        assert await threads.save(shared[number % 3], turn(number), "claude", reader)

    async def delete(number: int) -> None:
        await db.delete_turns(reader.user_id)
        await db.delete_conversation(reader.user_id, shared[number % 3].conversation_id)

    await asyncio.gather(*(save(number) if number % 4 else delete(number) for number in range(100)))
    with statements(database_url) as cursor:
        cursor.execute("SELECT DISTINCT conversation_id FROM chat_history ORDER BY 1")
        with_turns = cursor.fetchall()
        cursor.execute("SELECT id FROM conversations ORDER BY 1")
        assert cursor.fetchall() == with_turns


async def test_anonymous_turns_at_once_are_all_kept_up_to_the_limit(db: DBService) -> None:
    threads = Conversations(db)
    begun = await threads.open(None, None)
    await asyncio.gather(*(threads.save(begun, turn(number), "claude", None) for number in range(AT_ONCE)))
    opened = await threads.open(str(begun.conversation_id), None)
    assert opened.turns == tuple(turn(number) for number in range(AT_ONCE - TURNS, AT_ONCE))
