"""Readers and history on a real Postgres."""

from dataclasses import replace
from uuid import uuid4

import pytest

from backend.app.errors import BadRequest, EmailTaken, InvalidToken
from backend.app.models.domain import Chapter, ChapterChanges, ChapterId, Outcome, PastTurn, Reader, Source, UserId
from backend.app.services.claude_budget import PlannedTry
from backend.app.services.claude_reply import Usage
from backend.app.services.db_service import DBService
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio

URDU = "روبوٹ کیا ہے؟ 🤖 👩🏽‍🔬 e\u0301 \u202eabc ' \" \\ %s %(x)s {} $1 --"
TURN = PastTurn("q", "a", (), "not_in_book")


async def _reader(db: DBService, email: str = "Aisha@Example.org") -> Reader:
    return await db.create_user(email, "hash", "Aisha", "beginner", "none")


async def test_a_new_reader_is_found_by_id_and_by_address_in_any_letter_case(db: DBService):
    reader = await _reader(db)
    assert reader == Reader(reader.user_id, "Aisha@Example.org", "Aisha", "beginner", "none", 0)
    assert await db.find_reader(reader.user_id) == reader
    found = await db.find_credentials_by_email("aISHA@eXAMPLE.ORG")
    assert found is not None
    assert (found.reader, found.password_hash) == (reader, "hash")
    assert await db.find_credentials(reader.user_id) == found


async def test_an_address_that_differs_only_in_letter_case_is_taken(db: DBService):
    await _reader(db)
    with pytest.raises(EmailTaken):
        await _reader(db, "aisha@example.ORG")


@pytest.mark.parametrize("user_id", [0, -1, 2**31, 2**63, 10**30])
async def test_a_reader_who_does_not_exist_is_none_whatever_the_number(db: DBService, user_id: int):
    assert await db.find_reader(UserId(user_id)) is None
    assert await db.find_credentials(UserId(user_id)) is None
    assert await db.find_conversation(UserId(user_id), uuid4()) is None
    assert await db.list_conversation_turns(UserId(user_id), uuid4(), 4) == []


async def test_settings_that_are_none_stay_as_they_are(db: DBService):
    reader = await _reader(db)
    changed = await db.update_settings(reader.user_id, None, "advanced", None)
    assert changed == Reader(reader.user_id, reader.email, "Aisha", "advanced", "none", 0)
    assert await db.update_settings(reader.user_id, URDU, None, "jetson") == Reader(
        reader.user_id, reader.email, URDU, "advanced", "jetson", 0
    )


async def test_a_new_password_and_a_logout_each_raise_the_token_version(db: DBService):
    reader = await _reader(db)
    assert await db.set_password(reader.user_id, "new hash") == 1
    assert await db.revoke_tokens(reader.user_id) == 2
    found = await db.find_credentials(reader.user_id)
    assert found is not None
    assert (found.password_hash, found.reader.token_version) == ("new hash", 2)


async def test_changing_a_reader_who_is_gone_says_that_the_token_is_not_valid(db: DBService):
    gone = UserId(404)
    for change in (
        db.update_settings(gone, "x", None, None),
        db.set_password(gone, "x"),
        db.revoke_tokens(gone),
        db.save_turn(gone, uuid4(), TURN, "claude", "q"),
    ):
        with pytest.raises(InvalidToken):
            await change
    await db.delete_user(gone)


async def test_turns_come_back_newest_first_and_exactly_as_they_were(db: DBService):
    reader = await _reader(db)
    conversation = uuid4()
    source = Source(ChapterId("m/1"), URDU, 0.5, URDU, "https://x/#:~:text=a%20b", URDU)
    ids = [
        await db.save_turn(
            reader.user_id, conversation, PastTurn(f"{number} {URDU}", URDU, (source,)), "claude", "title"
        )
        for number in range(3)
    ]
    turns = await db.list_turns(reader.user_id, 2)
    assert [turn.turn_id for turn in turns] == [ids[2], ids[1]]
    assert turns[0].question == f"2 {URDU}"
    assert (turns[0].answer, turns[0].sources, turns[0].mode) == (URDU, (source,), "claude")
    assert turns[0].conversation_id == conversation
    assert turns[0].created_at.tzinfo is not None


async def test_emptying_the_history_counts_and_leaves_other_readers_alone(db: DBService):
    one, other = await _reader(db), await _reader(db, "b@example.org")
    for reader in (one, one, other):
        await db.save_turn(reader.user_id, uuid4(), TURN, "claude", "q")
    assert await db.delete_turns(one.user_id) == 2
    assert await db.delete_turns(one.user_id) == 0
    assert len(await db.list_turns(other.user_id, 10)) == 1


async def test_a_turn_keeps_its_outcome_and_a_refused_one_is_not_grounded(db: DBService, database_url: str):
    reader = await _reader(db)
    outcomes: list[Outcome] = ["answered", "partial", "not_in_book"]
    for outcome in outcomes:
        await db.save_turn(reader.user_id, uuid4(), PastTurn("q", "a", (), outcome), "extractive", "q")
    with statements(database_url) as cursor:
        cursor.execute("SELECT mode, grounded FROM chat_history ORDER BY id")
        assert cursor.fetchall() == [("extractive", True), ("extractive", True), ("refused", False)]
    assert [turn.outcome for turn in await db.list_turns(reader.user_id, 3)] == outcomes[::-1]


async def test_a_deleted_reader_is_named_in_no_table_any_more(db: DBService, database_url: str):
    reader, other = await _reader(db), await _reader(db, "b@example.org")
    with statements(database_url) as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'user_id' AND table_schema = 'public' ORDER BY table_name"
        )
        tables = [name for (name,) in cursor.fetchall()]
        assert tables == ["chat_history", "claude_calls", "conversations", "user_progress"]
        for owner in (reader.user_id, other.user_id):
            await db.save_turn(owner, uuid4(), TURN, "claude", "q")
            cursor.execute("INSERT INTO user_progress (user_id, chapter_id) VALUES (%s, 'c')", (owner,))
            assert await db.reserve_budget(PlannedTry("answer", "m", "p", owner, Usage(1), 20), 1, {"all": 9}, 60)
        await db.delete_user(reader.user_id)
        for table in tables:
            cursor.execute(f"SELECT user_id FROM {table} ORDER BY user_id NULLS LAST")
            money_stays_counted = [(None,)] if table == "claude_calls" else []
            assert cursor.fetchall() == [(other.user_id,), *money_stays_counted]
        cursor.execute("SELECT id FROM users")
        assert cursor.fetchall() == [(other.user_id,)]
    assert await db.find_reader(reader.user_id) is None


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff x"])
async def test_text_that_postgres_cannot_store_is_a_bad_request(db: DBService, text: str):
    reader = await _reader(db)
    source = Source(ChapterId("c"), text, 0.5, "t", "u", "q")
    for attempt in (
        db.create_user(text, "hash", "name", "beginner", "none"),
        db.find_credentials_by_email(text),
        db.update_settings(reader.user_id, text, None, None),
        db.save_turn(reader.user_id, uuid4(), PastTurn(text, "a", ()), "claude", "t"),
        db.save_turn(reader.user_id, uuid4(), PastTurn("q", "a", ()), "claude", text),
        db.save_turn(reader.user_id, uuid4(), PastTurn("q", "a", (source,)), "claude", "t"),
        db.find_chapter(ChapterId(text)),
    ):
        with pytest.raises(BadRequest):
            await attempt
    assert await db.find_reader(reader.user_id) == reader


async def test_a_value_longer_than_its_column_is_a_bad_request(db: DBService):
    with pytest.raises(BadRequest):
        await _reader(db, "a" * 321)


def _chapter(number: int, content: str = "text", **changes: str) -> Chapter:
    name = f"m/{number}"
    fields = {"title": f"Chapter {number}", "url": f"/docs/{name}", "module": "M", "source_path": f"{name}.md"}
    fields |= changes
    return Chapter(
        ChapterId(name),
        fields["title"],
        fields["url"],
        fields["module"],
        number,
        content,
        content,
        fields["source_path"],
    )


async def test_chapters_are_listed_and_found_in_reading_order(db: DBService):
    book = [_chapter(number, URDU) for number in range(12)]
    assert await db.replace_chapters(list(reversed(book))) == ChapterChanges(12, 0, 0, 0)
    assert [chapter.position for chapter in await db.list_chapters()] == list(range(12))
    assert await db.find_chapter(book[3].chapter_id) == book[3]
    assert await db.find_chapter(ChapterId("nope")) is None
    ids = [book[5].chapter_id, ChapterId("nope"), book[2].chapter_id]
    assert await db.find_chapters(ids) == [book[2], book[5]]
    assert await db.find_chapters([]) == []


async def test_a_new_version_of_the_book_writes_only_what_differs(db: DBService, database_url: str):
    def row_versions() -> dict[str, tuple[str, object]]:
        with statements(database_url) as cursor:
            cursor.execute("SELECT chapter_id, xmin::text, updated_at FROM chapters")
            return {chapter_id: (xmin, updated_at) for chapter_id, xmin, updated_at in cursor.fetchall()}

    await db.replace_chapters([_chapter(1), _chapter(2), _chapter(3), _chapter(4)])
    before = row_versions()
    changes = await db.replace_chapters(
        [_chapter(1), _chapter(2, "new"), _chapter(4, source_path="moved.md"), _chapter(5)]
    )
    assert changes == ChapterChanges(added=1, changed=2, removed=1, unchanged=1)
    after = row_versions()
    assert after["m/1"] == before["m/1"]
    assert after["m/2"] != before["m/2"]
    assert set(after) == {"m/1", "m/2", "m/4", "m/5"}
    assert await db.replace_chapters(await db.find_chapters([ChapterId(name) for name in after])) == ChapterChanges(
        0, 0, 0, 4
    )
    assert row_versions() == after


async def test_a_book_ingested_before_front_matter_was_kept_gets_it_with_the_next_ingest(db: DBService):
    old, new = _chapter(1), replace(_chapter(1), front_matter="---\nslug: /x\n---\n")
    await db.replace_chapters([old])
    assert await db.replace_chapters([new]) == ChapterChanges(0, 1, 0, 0)
    assert await db.find_chapter(old.chapter_id) == new


async def test_two_chapters_may_swap_their_places(db: DBService):
    await db.replace_chapters([_chapter(1, "a", url="/x"), _chapter(2, "b", url="/y")])
    await db.replace_chapters([_chapter(1, "c", url="/y"), _chapter(2, "d", url="/x")])
    assert [chapter.url for chapter in await db.list_chapters()] == ["/y", "/x"]


async def test_a_book_that_cannot_be_stored_leaves_the_old_one_untouched(db: DBService):
    await db.replace_chapters([_chapter(1)])
    with pytest.raises(BadRequest):
        await db.replace_chapters([_chapter(1, "new"), _chapter(2, "a\0b")])
    assert await db.find_chapter(ChapterId("m/1")) == _chapter(1)


async def test_an_empty_book_removes_every_chapter(db: DBService):
    await db.replace_chapters([_chapter(1)])
    assert await db.replace_chapters([]) == ChapterChanges(0, 0, 1, 0)
    assert await db.list_chapters() == []
