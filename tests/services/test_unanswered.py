"""What is kept of a question that the book does not answer: nothing of who asked, not for long, and nobody waits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from backend.app.models.domain import OpenQuestion, Outcome, UnansweredQuestion, UnansweredSection, WhyUnanswered
from backend.app.services.db_service import DBService, open_db
from backend.app.services.unanswered import MAX_CHARS, MAX_WAITING, UnansweredLog, mask
from tests.fakes.book import chunk
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio

NODES = chunk()
TOPICS = chunk(anchor="topics", section="Topics")


def asked(question: str = "What is DDS?", **changes: Any) -> UnansweredQuestion:
    known: dict[str, Any] = {"language": "en", "outcome": "not_in_book", "reason": "gate"}
    return UnansweredQuestion(**{"question": question, "best_score": 0.21, "nearest": NODES, **known, **changes})


@pytest.fixture
async def unanswered(db: DBService) -> AsyncIterator[UnansweredLog]:
    opened = UnansweredLog(db)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("Mail aisha.khan+x@mail.example.org please", "Mail [e-mail] please"),
        ("(a@b.pk), <c@d.co.uk>", "([e-mail]), <[e-mail]>"),
        ("عائشہ@مثال.پاکستان کو لکھو", "[e-mail] کو لکھو"),
        ("Call +92 300 123-4567 now", "Call [number] now"),
        ("Call (0300) 1234567.", "Call ([number]."),
        ("My CNIC is 35202-1234567-1", "My CNIC is [number]"),
        ("۰۳۰۰۱۲۳۴۵۶۷ پر", "[number] پر"),
        ("card 4242 4242 4242 4242", "card [number]"),
        ("12345678901234567890", "[number]"),
    ],
)
def test_addresses_and_long_numbers_are_masked(question: str, masked: str) -> None:
    assert mask(question) == masked


@pytest.mark.parametrize(
    "question",
    [
        *("What is IK?", "Does ROS 2 run on Ubuntu 22.04?", "Is 3.14 enough?", "port 11311 or 7400", "10.0.0.1"),
        *("@app.get and @property", "A @ B", "M(q)q̈ + C(q,q̇)q̇", "x@y", "1, 2, 3, 4, 5, 6, 7, 8", "سینسر کیا ہے؟"),
    ],
)
def test_what_names_nobody_stays(question: str) -> None:
    assert mask(question) == question


@pytest.mark.parametrize("text", ["a" * 200_000, "1 " * 100_000, "a." * 100_000, "@" * 200_000, "1a" * 100_000])
def test_masking_has_no_slow_input(text: str) -> None:
    """Quadratic work on these would take minutes."""
    assert len(mask(text)) <= MAX_CHARS


def test_an_address_at_the_limit_is_masked_before_the_text_is_cut() -> None:
    assert mask("x" * 490 + " aisha@example.org") == "x" * 490 + " [e-mail]"
    assert mask("x" * 495 + " aisha@example.org") == "x" * 495 + " [e-m"


async def test_a_question_is_stored_with_its_section_and_without_its_reader(
    unanswered: UnansweredLog, db: DBService, database_url: str
) -> None:
    unanswered.record(asked("Is aisha@example.org in the book?", reason="model", outcome="partial", language="other"))
    unanswered.record(asked("q", nearest=None, best_score=None))
    await unanswered.close()
    with statements(database_url) as cursor:
        cursor.execute(
            "SELECT question, language, outcome, reason, round(best_score::numeric, 2)::float, chapter_id, section,"
            " anchor FROM unanswered_questions ORDER BY question"
        )
        assert cursor.fetchall() == [
            ("Is [e-mail] in the book?", "other", "partial", "model", 0.21, "ros/nodes", "Nodes", "nodes"),
            ("q", "en", "not_in_book", "gate", None, None, None, None),
        ]
        cursor.execute(
            "SELECT extract(minute FROM asked_at), extract(second FROM asked_at) FROM unanswered_questions"
        )
        assert {tuple(map(float, row)) for row in cursor.fetchall()} == {(0.0, 0.0)}
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'unanswered_questions'")
        columns = {name for (name,) in cursor.fetchall()}
    assert columns == {
        *("id", "asked_at", "question", "language", "outcome", "reason"),
        *("best_score", "chapter_id", "section", "anchor"),
    }


@pytest.mark.parametrize("reason", ["gate", "model", "citations", "refused"])
@pytest.mark.parametrize("outcome", ["not_in_book", "partial"])
async def test_every_reason_and_outcome_can_be_stored(db: DBService, reason: WhyUnanswered, outcome: Outcome) -> None:
    await db.record_unanswered(asked(reason=reason, outcome=outcome))
    (section,) = await db.list_unanswered(1, 10, 3)
    assert (section.asked, section.partial) == (1, int(outcome == "partial"))


async def test_the_owner_sees_sections_with_most_questions_first(db: DBService) -> None:
    for question, changes in [
        ("What is DDS?", {}),
        ("What about QoS?", {"nearest": TOPICS}),
        ("what is  dds", {"outcome": "partial", "reason": "model"}),
        ("Which DDS?", {}),
        ("Hi", {"nearest": None}),
    ]:
        await db.record_unanswered(asked(question, **changes))
    nodes, nowhere, topics = await db.list_unanswered(30, 10, 5)
    assert nodes == UnansweredSection(
        *(NODES.chapter_id, "nodes", "Nodes", 3, 1, nodes.newest_at),
        (OpenQuestion("what is  dds", "en", 2, 1), OpenQuestion("Which DDS?", "en", 1, 0)),
    )
    assert (topics.section, topics.asked, topics.questions) == (
        "Topics",
        1,
        (OpenQuestion("What about QoS?", "en", 1, 0),),
    )
    assert (nowhere.chapter_id, nowhere.section, nowhere.questions) == (None, None, (OpenQuestion("Hi", "en", 1, 0),))
    assert len(await db.list_unanswered(30, 1, 5)) == 1
    assert len((await db.list_unanswered(30, 1, 1))[0].questions) == 1


async def test_questions_are_kept_for_ninety_days(db: DBService, database_url: str) -> None:
    for _ in range(3):
        await db.record_unanswered(asked())
    with statements(database_url) as cursor:
        cursor.execute("UPDATE unanswered_questions SET asked_at = now() - interval '91 days' WHERE id = 1")
        cursor.execute("UPDATE unanswered_questions SET asked_at = now() - interval '89 days' WHERE id = 2")
        await db.record_unanswered(asked())
        cursor.execute("SELECT id FROM unanswered_questions ORDER BY id")
        assert cursor.fetchall() == [(2,), (3,), (4,)]
    assert [each.asked for each in await db.list_unanswered(30, 10, 1)] == [2]


async def test_a_flood_of_questions_cannot_fill_the_database(db: DBService, database_url: str) -> None:
    with statements(database_url) as cursor:
        cursor.execute(
            "INSERT INTO unanswered_questions (question, language, outcome, reason)"
            " SELECT 'q', 'en', 'not_in_book', 'gate' FROM generate_series(1, 20100)"
        )
        await db.record_unanswered(asked())
        cursor.execute("SELECT count(*), min(id) FROM unanswered_questions")
        assert cursor.fetchall() == [(20_000, 102)]


async def test_recording_waits_for_nothing_and_a_dead_database_is_one_line_in_the_log() -> None:
    dead = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    unanswered = UnansweredLog(dead)
    with capture_logs() as logs:
        for _ in range(MAX_WAITING + 5):
            unanswered.record(asked("my secret question"))
        assert logs == [
            {"event": "unanswered_not_recorded", "code": "too_many_waiting", "log_level": "warning"} for _ in range(5)
        ]
        await unanswered.close()
    assert {entry["code"] for entry in logs[5:]} == {"database_unavailable"}
    assert "secret" not in str(logs)
    await dead.close()


async def test_a_database_without_tables_breaks_neither_recording_nor_closing(empty_database_url: str) -> None:
    unmigrated = open_db(empty_database_url)
    unanswered = UnansweredLog(unmigrated)
    with capture_logs() as logs:
        unanswered.record(asked())
        await unanswered.close()
    assert [entry["event"] for entry in logs] == ["unanswered_not_recorded"]
    await unmigrated.close()


async def test_closing_waits_until_everything_is_written(unanswered: UnansweredLog, db: DBService) -> None:
    for _ in range(20):
        unanswered.record(asked())
    await unanswered.close()
    assert [each.asked for each in await db.list_unanswered(1, 10, 1)] == [20]
    await asyncio.sleep(0)
    unanswered.record(asked())
