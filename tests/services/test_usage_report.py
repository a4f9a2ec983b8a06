"""What the owner is told: sums of the ledger's rows, percentiles, and open questions without who asked them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest

from backend.app.models.domain import QuestionLanguage, UnansweredQuestion
from backend.app.models.usage import AskedAlike, CacheUse, EventCount
from backend.app.services.db_service import DBService
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.latency_buckets import bucket_of
from backend.app.services.question_groups import Vectors
from backend.app.services.usage_records import RecentSpending
from backend.app.services.usage_report import SECTIONS, WORDINGS, UsageService, project_month
from backend.app.utils.config import Settings
from tests.fakes.book import chunk
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio

NODES, TOPICS = chunk(), chunk(anchor="topics", section="Topics")
CALL = """
INSERT INTO claude_calls (day, expires_at, feature, model, prompt_version, shares, reserved_microusd, outcome,
  cost_microusd, input_tokens, output_tokens, thinking_tokens, cache_read_tokens, cache_write_tokens)
SELECT (now() AT TIME ZONE 'UTC')::date - %s, now(), %s, %s, 'v', '{}', 99, %s, %s, 100, 50, 20, 300, 0
"""


def unwanted(texts: Sequence[str]) -> Vectors:
    raise AssertionError("nothing was to be compared")


@pytest.fixture
def usage(db: DBService, embedder: EmbeddingService) -> UsageService:
    return UsageService(Settings(daily_budget_usd=Decimal("2.5")), db, embedder.embed)


async def test_an_empty_database_gives_an_empty_report(db: DBService) -> None:
    report = await UsageService(Settings(), db, unwanted).report(30)  # pyright: ignore[reportArgumentType]
    assert (report.days, (report.last_day - report.first_day).days) == (30, 29)
    assert report.spending.lines == report.events == report.stages == report.unanswered == ()
    assert report.spending.cost_microusd == report.spending.projected_month_microusd == 0
    assert report.caches == tuple(CacheUse(name, 0, 0, None) for name in ("prompt", "chapter", "section"))


async def test_money_is_the_sum_of_the_settled_rows_of_those_days(usage: UsageService, database_url: str) -> None:
    with statements(database_url) as cursor:
        for row in [
            (0, "answer", "haiku", "complete", 7),
            (0, "answer", "haiku", "unknown", 99),
            (0, "rewrite", "haiku", "not_billed", 0),
            (0, "answer", "sonnet", "reserved", 0),
            (1, "translate", "sonnet", "lost", 1_000_001),
            (29, "answer", "haiku", "complete", 11),
            (30, "answer", "haiku", "complete", 13),
        ]:
            cursor.execute(CALL, row)
    report = await usage.report(30)
    today = report.last_day
    assert [
        (line.day, line.feature, line.model, line.calls, line.uncertain_calls, line.cost_microusd)
        for line in report.spending.lines
    ] == [
        (today - timedelta(days=29), "answer", "haiku", 1, 0, 11),
        (today - timedelta(days=1), "translate", "sonnet", 1, 1, 1_000_001),
        (today, "answer", "haiku", 2, 1, 106),
        (today, "rewrite", "haiku", 1, 0, 0),
    ]
    spending = report.spending
    assert (spending.cost_microusd, spending.today_microusd) == (1_000_118, 106)
    assert spending.daily_budget_microusd == 2_500_000
    assert [line.output_tokens for line in spending.lines] == [50, 50, 100, 50]
    assert report.caches[0] == CacheUse("prompt", 1500, 500, 0.75)
    assert [line.day for line in (await usage.report(1)).spending.lines] == [today, today]


@pytest.mark.parametrize(
    ("now", "since", "cost", "month"),
    [
        ("2026-11-21T12:00", None, 0, 0),
        ("2026-11-21T00:00:01", "2026-11-21", 500, 15_000),  # the first day counts as a whole one
        ("2026-11-21T18:00", "2026-11-21", 500, 15_000),
        ("2026-11-21T12:00", "2026-11-20", 1_500, 30_000),
        ("2026-11-21T12:00", "2026-11-15", 6_500, 30_000),
    ],
)
def test_a_month_is_thirty_days_like_the_last_ones(now: str, since: str | None, cost: int, month: int) -> None:
    begun = date.fromisoformat(since) if since else None
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert project_month(RecentSpending(moment, begun, cost)) == month


async def test_the_projection_looks_at_a_week_however_few_days_are_shown(
    usage: UsageService, database_url: str
) -> None:
    with statements(database_url) as cursor:
        cursor.execute(CALL, (6, "answer", "haiku", "complete", 7_000_000))
        cursor.execute(CALL, (7, "answer", "haiku", "complete", 900_000_000))
    spending = (await usage.report(1)).spending
    assert spending.lines == ()
    assert 30_000_000 <= spending.projected_month_microusd <= 35_000_000  # 6 to 7 days have passed
    assert "last 7 days" in spending.projection


async def test_events_have_their_labels_and_caches_their_rates(usage: UsageService, db: DBService) -> None:
    today = (await usage.report(1)).last_day
    number = (today - date(1970, 1, 1)).days
    await db.save_usage(
        uuid4(),
        1,
        {
            (number, "answers", "claude/partial"): 3,
            (number, "rate_limited", "questions"): 2,
            (number, "chapter_cache", "translation/hit"): 3,
            (number, "chapter_cache", "translation/miss"): 1,
            (number - 1, "section_cache", "personalization/miss"): 5,
        },
        {(number, "answer", bucket_of(0.1)): 9, (number - 1, "answer", bucket_of(2.0)): 1},
    )
    report = await usage.report(2)
    assert EventCount(today, "answers", {"mode": "claude", "outcome": "partial"}, 3) in report.events
    assert EventCount(today, "rate_limited", {"limit": "questions"}, 2) in report.events
    assert [event.day for event in report.events] == [today - timedelta(days=1), *[today] * 4]
    assert report.caches[1:] == (CacheUse("chapter", 3, 1, 0.75), CacheUse("section", 0, 5, 0.0))
    (stage,) = report.stages
    assert (stage.stage, stage.count) == ("answer", 10)
    assert stage.p50_ms == pytest.approx(100, rel=0.19)
    assert stage.p95_ms == pytest.approx(2000, rel=0.19)


async def test_what_another_release_counted_is_shown_as_well(usage: UsageService, database_url: str) -> None:
    with statements(database_url) as cursor:
        cursor.execute(
            "INSERT INTO usage_counters SELECT (now() AT TIME ZONE 'UTC')::date, 'later', 'a/b', 1;"
            "INSERT INTO stage_latency SELECT (now() AT TIME ZONE 'UTC')::date, stage, 3, 1"
            " FROM unnest(ARRAY['later', 'answer']) AS stage"
        )
    report = await usage.report(1)
    assert [(event.event, event.labels) for event in report.events] == [("later", {})]
    assert [stage.stage for stage in report.stages] == ["answer", "later"]


def asked(question: str, language: QuestionLanguage = "en", **changes: object) -> UnansweredQuestion:
    known = {"outcome": "not_in_book", "reason": "gate", "best_score": 0.2, "nearest": NODES} | changes
    return UnansweredQuestion(question=question, language=language, **known)  # pyright: ignore[reportArgumentType]


async def test_open_questions_stand_by_section_and_alike_ones_on_one_line(usage: UsageService, db: DBService) -> None:
    for question in [
        *("What does a gyroscope cost?", "what does a gyroscope cost", "How much does a gyroscope cost?"),
        *("Who makes gyroscopes?", "How much is a gyroscope?"),
    ]:
        await db.record_unanswered(asked(question))
    await db.record_unanswered(asked("What is QoS?", nearest=TOPICS, outcome="partial"))
    await db.record_unanswered(asked("What is the cost of a gyroscope?", nearest=TOPICS, outcome="partial"))
    nodes, topics = (await usage.report(30)).unanswered
    assert (nodes.chapter_id, nodes.section, nodes.anchor, nodes.asked) == (NODES.chapter_id, "Nodes", "nodes", 6)
    assert nodes.partly_answered == 1
    assert nodes.questions[0].question == "what does a gyroscope cost"
    assert nodes.questions[0].asked == 5
    assert set(nodes.questions[0].other_wordings) == {
        "How much does a gyroscope cost?",
        "How much is a gyroscope?",
        "What is the cost of a gyroscope?",  # it lay nearer to another section
    }
    assert nodes.questions[1:] == (AskedAlike("Who makes gyroscopes?", 1, ()),)
    assert (topics.asked, topics.partly_answered) == (1, 1)
    assert topics.questions == (AskedAlike("What is QoS?", 1, ()),)
    assert topics.newest_on == (await usage.report(1)).last_day


async def test_the_work_of_a_report_is_bounded(db: DBService, database_url: str) -> None:
    """However many questions there are: readers' questions are embedded on the same thread."""
    with statements(database_url) as cursor:
        cursor.execute(
            "INSERT INTO unanswered_questions (question, language, outcome, reason, chapter_id, section, anchor)"
            " SELECT 'question ' || q, 'en', 'not_in_book', 'gate', 'c', 's', 'a' || s"
            " FROM generate_series(1, 60) AS q, generate_series(1, 30) AS s"
        )
    batches: list[int] = []

    async def embed(texts: Sequence[str]) -> Vectors:
        batches.append(len(texts))
        vectors = np.random.default_rng(sum(batches)).normal(size=(len(texts), 384)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    report = await UsageService(Settings(), db, embed).report(1)
    assert len(report.unanswered) == SECTIONS
    assert {topic.asked for topic in report.unanswered} == {60}
    assert sum(batches) == SECTIONS * WORDINGS
    assert max(batches) <= 16


async def test_nothing_in_a_report_says_who_asked(usage: UsageService, db: DBService, database_url: str) -> None:
    with statements(database_url) as cursor:
        cursor.execute("INSERT INTO users (email, password_hash, name) VALUES ('sana@example.com', 'h', 'Sana')")
        cursor.execute(CALL, (0, "answer", "haiku", "complete", 7))
        cursor.execute("UPDATE claude_calls SET user_id = 1, claude_request_id = 'req_1'")
    await db.record_unanswered(asked("q"))
    shown = str(await usage.report(1))
    assert not any(word in shown for word in ("sana", "Sana", "user_id", "req_1", "conversation"))
    (topic,) = (await usage.report(1)).unanswered
    assert type(topic.newest_on) is date  # the day, although the hour is known
