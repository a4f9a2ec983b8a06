"""Adapted chapters: who is counted, and what is served without a key, without money, without a database."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from backend.app.errors import (
    BudgetExhausted,
    DatabaseUnavailable,
    ModelNotConfigured,
    RateLimited,
)
from backend.app.models.adaptation import AdaptedChapter
from backend.app.services.budget_service import BudgetService
from backend.app.services.db_service import DBService, open_db
from backend.app.utils.config import Settings
from tests.fakes import translators
from tests.fixtures.adaptation import (
    CHAPTER,
    SECTIONS,
    OpenPipeline,
    Pipeline,
    chapter_of,
    in_the_book,
    long_chapter,
)
from tests.fixtures.budget import read_ledger
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio


async def test_a_reader_gets_five_chapters_of_a_hundred_at_once(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    chapters = [chapter_of(f"# Robot {n}\n\nRobot {n} can move.\n", f"c{n}", f"Robot {n}") for n in range(100)]
    await in_the_book(pipeline, *chapters)
    results = await asyncio.gather(*map(pipeline.adapt, chapters), return_exceptions=True)
    assert sum(isinstance(result, AdaptedChapter) for result in results) == 5
    assert sum(isinstance(result, RateLimited) for result in results) == 95
    assert pipeline.calls == 5
    assert pipeline.rows("translations_cache") == 5
    assert pipeline.rows("chapter_leases") == 0


async def test_a_hundred_readers_of_one_chapter_make_it_once_and_one_is_counted(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    asked = (pipeline.adapt(CHAPTER, reader=number) for number in range(1, 101))
    results = await asyncio.gather(*asked)
    assert len({result.content for result in results}) == 1
    assert pipeline.calls == SECTIONS
    assert sum([await pipeline.readers.used(number) for number in range(1, 101)]) == 1


async def test_one_who_has_had_enough_does_not_stop_the_others(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(rate_limit_translations_per_day=1)
    pipeline.claude.adapts(translators.good)
    await pipeline.adapt(long_chapter(1))
    asked = [pipeline.adapt(CHAPTER, reader=number, is_own_text=True) for number in (1, 2, 3, 1)]  # in this order
    first, second, third, last = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, RateLimited)
    assert isinstance(second, AdaptedChapter)
    assert second == third == last
    assert [await pipeline.readers.used(number) for number in (1, 2, 3)] == [1, 1, 0]


async def test_what_is_there_costs_no_quota(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(rate_limit_translations_per_day=1)
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    for _ in range(5):
        await pipeline.adapt(CHAPTER)
    with statements(pipeline.dsn) as cursor:
        cursor.execute("TRUNCATE translations_cache")
    assert (await pipeline.adapt(CHAPTER)).cached
    assert pipeline.readers.admitted == [1]


# Without a key, without money, without a database


async def test_without_a_key_everything_is_served_that_needs_no_model(
    pipeline: Pipeline, open_pipeline: OpenPipeline
) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    made = await pipeline.adapt(CHAPTER)
    poor = open_pipeline(has_key=False)
    assert await poor.adapt(CHAPTER) == replace(made, cached=True)
    with statements(pipeline.dsn) as cursor:
        cursor.execute("TRUNCATE translations_cache")
    assert await poor.adapt(CHAPTER) == replace(made, cached=True)
    with pytest.raises(ModelNotConfigured, match="ANTHROPIC_API_KEY"):
        await poor.adapt(long_chapter(5))
    assert poor.readers.admitted == []
    assert pipeline.calls == SECTIONS
    code = chapter_of("```python\nx = 1\n```\n", "only/code", "")
    assert (await poor.adapt(code)).content == code.content


def budget_of(pipeline_db: DBService, usd: str, **shares: Decimal) -> BudgetService:
    return BudgetService(Settings(daily_budget_usd=Decimal(usd), **shares), pipeline_db)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({}, "Today's budget"),
        ({"budget_translate_share": Decimal("0.001")}, "Today's budget"),
        ({"budget_reader_share": Decimal("0.001")}, "Your share"),
    ],
)
async def test_a_chapter_that_costs_more_than_is_left_is_refused_before_the_first_call(
    open_pipeline: OpenPipeline, db: DBService, shares: Any, words: str
) -> None:
    reader = await db.create_user("a@example.org", "h", "", "beginner", "none")
    budget = budget_of(db, "100" if shares else "0.05", **shares)
    pipeline = open_pipeline(budget=budget)
    with pytest.raises(BudgetExhausted, match=words) as refusal:
        await pipeline.adapt(CHAPTER, reader=reader.user_id)
    assert 0 < refusal.value.retry_after_s <= 86_400
    assert (pipeline.calls, pipeline.readers.admitted) == (0, [])
    await budget.close()


async def test_a_reader_without_money_does_not_stop_another_who_has_some(
    open_pipeline: OpenPipeline, db: DBService
) -> None:
    spent = await db.create_user("a@example.org", "h", "", "beginner", "none")
    other = await db.create_user("b@example.org", "h", "", "beginner", "none")
    budget = budget_of(db, "10")
    pipeline = open_pipeline(budget=budget)
    pipeline.claude.adapts(translators.good)
    with statements(pipeline.dsn) as cursor:
        cursor.execute(
            "INSERT INTO budget (day, share, spent_microusd, limit_microusd)"
            " VALUES ((now() AT TIME ZONE 'UTC')::date, %s, 1999000, 2000000)",
            (f"reader:{spent.user_id}",),
        )
    readers = (spent.user_id, other.user_id)
    asked = [pipeline.adapt(CHAPTER, reader=user_id, is_own_text=True) for user_id in readers]  # in this order
    first, second = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, BudgetExhausted)
    assert isinstance(second, AdaptedChapter)
    await budget.close()
    ledger = read_ledger(pipeline.dsn)
    assert (ledger.reserved, ledger.spent_in_rows) == (0, ledger.spent)


async def test_a_ledger_that_is_gone_is_a_database_that_is_gone(open_pipeline: OpenPipeline) -> None:
    nowhere = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    pipeline = open_pipeline(budget=budget_of(nowhere, "10"))
    with pytest.raises(DatabaseUnavailable):
        await pipeline.adapt(CHAPTER)
    assert pipeline.calls == 0
    await nowhere.close()
