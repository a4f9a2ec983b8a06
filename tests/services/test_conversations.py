"""Whose thread is whose, what a later question may refer to, and what is left of a thread."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from backend.app.errors import ConversationNotFound, InvalidToken
from backend.app.models.domain import ChapterId, Outcome, PastTurn, Reader, Source
from backend.app.services.anonymous_threads import MAX_IDLE_S, AnonymousThreads
from backend.app.services.conversations import TITLE_CHARS, TURNS, Conversation, Conversations, make_title
from backend.app.services.db_pool import DatabasePool, Row
from backend.app.services.db_service import DBService, open_db

pytestmark = pytest.mark.anyio

SOURCE = Source(ChapterId("ros/nodes"), "Nodes", 0.7, "ROS 2", "/docs/ros/nodes#nodes", "A node is a process.")
HOSTILE = [
    *(None, "", " ", "null", "undefined", "chat-1732150000000", "0" * 31, "0" * 32, "0" * 33, "-", "x" * 100_000),
    *("' OR 1=1 --", "%s", "%(user_id)s", "\0", "\ud800", "😀" * 50, "../../etc", "{}", "[]", "1e9", "-1"),
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "urn:uuid:" + "a" * 32),
]


class CountingPool(DatabasePool):
    """Notes the statements that it runs."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, threads=2)
        self.statements: list[str] = []

    async def rows(self, sql: str, *args: object, **options: object) -> list[Row]:
        self.statements.append(sql)
        return await super().rows(sql, *args, **options)  # pyright: ignore


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[CountingPool]:
    opened = CountingPool(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def threads(pool: CountingPool) -> Conversations:
    return Conversations(DBService(pool))


@pytest.fixture
async def reader(db: DBService) -> Reader:
    return await db.create_user("sana@example.com", "hash", "Sana", "beginner", "none")


@pytest.fixture
async def other(db: DBService) -> Reader:
    return await db.create_user("ali@example.com", "hash", "Ali", "beginner", "none")


@pytest.fixture
async def unreachable() -> AsyncIterator[DBService]:
    opened = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    yield opened
    await opened.close()


def turn(number: int = 0, outcome: Outcome = "answered") -> PastTurn:
    return PastTurn(f"question {number}", f"answer {number}", (SOURCE,), outcome)


async def begin(threads: Conversations, reader: Reader | None, *turns: PastTurn) -> UUID:
    """-> the id of a new thread with these turns."""
    thread = await threads.open(None, reader)
    for each in turns or (turn(),):
        assert await threads.save(thread, each, "claude", reader)
    return thread.conversation_id


# --- continuing


@pytest.mark.parametrize("is_signed_in", [True, False])
async def test_a_thread_goes_on_with_its_last_turns_oldest_first(
    threads: Conversations, reader: Reader, is_signed_in: bool
) -> None:
    asks = reader if is_signed_in else None
    turns = [turn(number, outcome) for number, outcome in enumerate(["answered", "partial", "not_in_book"] * 2)]
    thread = await begin(threads, asks, *turns)
    assert await threads.open(str(thread), asks) == Conversation(thread, tuple(turns[-TURNS:]))


@pytest.mark.parametrize("is_signed_in", [True, False])
@pytest.mark.parametrize("claimed", HOSTILE)
async def test_an_id_that_is_none_of_ours_starts_a_new_thread(
    threads: Conversations, reader: Reader, claimed: str | None, is_signed_in: bool
) -> None:
    asks = reader if is_signed_in else None
    await begin(threads, asks)
    opened = await threads.open(claimed, asks)
    assert (opened.turns, opened.is_lost) == ((), False)
    assert opened.conversation_id.version == 4
    assert str(opened.conversation_id) != claimed


async def test_nobody_continues_the_thread_of_somebody_else(
    threads: Conversations, reader: Reader, other: Reader
) -> None:
    askers = [reader, other, None]
    begun = {asker and asker.user_id: await begin(threads, asker) for asker in askers}
    for asker in askers:
        for owner, thread in begun.items():
            opened = await threads.open(str(thread), asker)
            is_own = owner == (asker and asker.user_id)
            assert (opened.conversation_id == thread, bool(opened.turns)) == (is_own, is_own)


async def test_two_readers_may_even_have_threads_of_one_id(
    threads: Conversations, reader: Reader, other: Reader
) -> None:
    """The reader is part of the key, so an id can never lead into another one's thread."""
    shared = Conversation(uuid4())
    await threads.save(shared, turn(1), "claude", reader)
    await threads.save(shared, turn(2), "claude", other)
    assert (await threads.open(str(shared.conversation_id), reader)).turns == (turn(1),)
    assert (await threads.open(str(shared.conversation_id), other)).turns == (turn(2),)
    await threads.delete(other, str(shared.conversation_id))
    assert (await threads.open(str(shared.conversation_id), reader)).turns == (turn(1),)


async def test_a_question_in_a_thread_costs_one_statement_before_and_one_after(
    threads: Conversations, pool: CountingPool, reader: Reader
) -> None:
    thread = await begin(threads, reader)
    pool.statements.clear()
    opened = await threads.open(str(thread), reader)
    assert len(pool.statements) == 1
    await threads.save(opened, turn(1), "claude", reader)
    assert len(pool.statements) == 2


async def test_anonymous_threads_ask_no_database(unreachable: DBService) -> None:
    threads = Conversations(unreachable)
    thread = await begin(threads, None, turn(1))
    assert (await threads.open(str(thread), None)).turns == (turn(1),)


# --- a database that is not there


async def test_without_a_database_a_thread_is_lost_and_says_so(unreachable: DBService, reader: Reader) -> None:
    threads = Conversations(unreachable)
    claimed = str(uuid4())
    opened = await threads.open(claimed, reader)
    assert (opened.turns, opened.is_lost) == ((), True)
    assert str(opened.conversation_id) != claimed
    assert await threads.save(opened, turn(), "claude", reader) is False


async def test_a_turn_saved_apart_from_its_lost_thread_is_reported(threads: Conversations, reader: Reader) -> None:
    lost = Conversation(uuid4(), is_lost=True)
    assert await threads.save(lost, turn(), "claude", reader) is False
    assert (await threads.open(str(lost.conversation_id), reader)).turns == (turn(),)


async def test_a_reader_who_is_gone_is_not_saved_for(threads: Conversations, db: DBService, reader: Reader) -> None:
    await db.delete_user(reader.user_id)
    assert await threads.save(Conversation(uuid4()), turn(), "claude", reader) is False


# --- what the owner sees and does


async def test_threads_are_listed_by_their_latest_turn(threads: Conversations, reader: Reader, other: Reader) -> None:
    first, second, third = [await begin(threads, reader, turn(number)) for number in range(3)]
    await begin(threads, other)
    await threads.save(await threads.open(str(first), reader), turn(9), "claude", reader)
    listed = await threads.list_of(reader, 10)
    assert [each.conversation_id for each in listed] == [first, third, second]
    assert [(each.title, each.turns) for each in listed] == [("question 0", 2), ("question 2", 1), ("question 1", 1)]
    assert listed[0].created_at < listed[0].updated_at
    page = await threads.list_of(reader, 2)
    assert [each.conversation_id for each in page] == [first, third]
    assert await threads.list_of(reader, 10, page[-1].updated_at) == listed[2:]
    assert await threads.list_of(reader, 10, listed[-1].updated_at - timedelta(microseconds=1)) == []


async def test_a_thread_is_read_page_by_page_oldest_first(threads: Conversations, reader: Reader) -> None:
    thread = await begin(threads, reader, *(turn(number) for number in range(5)))
    summary, latest = await threads.get(reader, str(thread), 2)
    assert (summary.conversation_id, summary.title, summary.turns) == (thread, "question 0", 5)
    assert [each.question for each in latest] == ["question 3", "question 4"]
    assert latest[0].sources == (SOURCE,)
    _, earlier = await threads.get(reader, str(thread), 10, latest[0].turn_id)
    assert [each.question for each in earlier] == ["question 0", "question 1", "question 2"]


async def test_a_thread_can_be_renamed_and_keeps_its_place(threads: Conversations, reader: Reader) -> None:
    older, newer = [await begin(threads, reader) for _ in range(2)]
    renamed = await threads.rename(reader, str(older), "گھٹنے اور کہنیاں")
    assert (renamed.conversation_id, renamed.title, renamed.turns) == (older, "گھٹنے اور کہنیاں", 1)
    assert [each.conversation_id for each in await threads.list_of(reader, 10)] == [newer, older]
    await threads.save(await threads.open(str(older), reader), turn(1), "claude", reader)
    assert (await threads.list_of(reader, 1))[0].title == "گھٹنے اور کہنیاں"


async def test_a_deleted_thread_takes_its_turns_along_and_leaves_the_others(
    threads: Conversations, db: DBService, reader: Reader
) -> None:
    kept = await begin(threads, reader, turn(1))
    gone = await begin(threads, reader, turn(2), turn(3))
    assert await threads.delete(reader, str(gone)) == 2
    assert [each.question for each in await db.list_turns(reader.user_id, 10)] == ["question 1"]
    assert [each.conversation_id for each in await threads.list_of(reader, 10)] == [kept]
    assert (await threads.open(str(gone), reader)).turns == ()
    with pytest.raises(ConversationNotFound):
        await threads.delete(reader, str(gone))


async def test_deleting_the_history_deletes_the_threads_of_this_reader(
    threads: Conversations, db: DBService, reader: Reader, other: Reader
) -> None:
    thread = await begin(threads, reader, turn(1), turn(2))
    await begin(threads, other)
    assert await db.delete_turns(reader.user_id) == 2
    assert await threads.list_of(reader, 10) == []
    assert (await threads.open(str(thread), reader)).turns == ()
    assert len(await threads.list_of(other, 10)) == 1


@pytest.mark.parametrize("claimed", [each for each in HOSTILE if each is not None])
async def test_an_unknown_thread_is_not_found(threads: Conversations, reader: Reader, claimed: str) -> None:
    await assert_not_found(threads, reader, claimed)


async def test_a_strangers_thread_is_not_found(threads: Conversations, reader: Reader, other: Reader) -> None:
    thread = await begin(threads, other)
    await assert_not_found(threads, reader, str(thread))
    assert [each.title for each in await threads.list_of(other, 10)] == ["question 0"]
    anonymous = await begin(threads, None)
    await assert_not_found(threads, reader, str(anonymous))


async def assert_not_found(threads: Conversations, reader: Reader, claimed: str) -> None:
    for attempt in (
        threads.get(reader, claimed, 10),
        threads.rename(reader, claimed, "mine"),
        threads.delete(reader, claimed),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt


async def test_a_deleted_account_has_no_threads(threads: Conversations, db: DBService, reader: Reader) -> None:
    await begin(threads, reader)
    await db.delete_user(reader.user_id)
    assert await threads.list_of(reader, 10) == []
    with pytest.raises(InvalidToken):
        await db.save_turn(reader.user_id, uuid4(), turn(), "claude", "title")


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What is a node?", "What is a node?"),
        ("  What\n is\t a   node? ", "What is a node?"),
        ("روبوٹ کیا ہے؟", "روبوٹ کیا ہے؟"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("word " * 40, " ".join(["word"] * 15) + "…"),
        ("\x1c", ""),
    ],
)
def test_a_title_is_the_beginning_of_the_question_on_one_line(question: str, title: str) -> None:
    assert make_title(question) == title
    assert len(title) <= TITLE_CHARS


# --- anonymous threads


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_anonymous_thread_is_forgotten_after_an_hour_without_use() -> None:
    clock = Clock()
    threads = AnonymousThreads(turns_each=4, clock=clock)
    used, unused = uuid4(), uuid4()
    threads.add(used, turn(1))
    threads.add(unused, turn(2))
    clock.now += MAX_IDLE_S
    assert threads.find(used) == (turn(1),)
    clock.now += 1
    assert threads.find(unused) == ()
    assert threads.find(used) == (turn(1),)
    threads.add(unused, turn(3))
    assert threads.find(unused) == (turn(3),), "nothing of the forgotten thread comes back"


def test_the_thread_unused_longest_goes_when_there_are_too_many() -> None:
    threads = AnonymousThreads(turns_each=4, max_threads=3)
    ids = [uuid4() for _ in range(4)]
    for thread in ids[:3]:
        threads.add(thread, turn())
    threads.find(ids[0])
    threads.add(ids[3], turn())
    assert [bool(threads.find(thread)) for thread in ids] == [True, False, True, True]


def test_long_texts_cannot_fill_the_memory() -> None:
    threads = AnonymousThreads(turns_each=4, max_characters=10_000)
    ids = [uuid4() for _ in range(50)]
    for thread in ids:
        for _ in range(6):
            threads.add(thread, PastTurn("q" * 500, "a" * 500, ()))
    assert [bool(threads.find(thread)) for thread in ids] == [False] * 48 + [True] * 2
    threads.add(ids[0], PastTurn("q", "a" * 10_000, ()))
    assert not any(threads.find(thread) for thread in ids), "a turn that is too long alone is not kept either"
    threads.add(ids[0], turn())
    assert threads.find(ids[0]) == (turn(),)
