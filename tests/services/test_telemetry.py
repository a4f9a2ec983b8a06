"""What each service tells: the ledger every settled call, the limiter every refusal, chapters what was there."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from backend.app.errors import AIServiceBusy, RateLimited
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.budget_service import BudgetService
from backend.app.services.claude_budget import NoMoney, PlannedTry
from backend.app.services.claude_reply import Usage
from backend.app.services.claude_service import ClaudeService
from backend.app.services.db_service import DBService, open_db
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.limit_windows import MemoryWindows
from backend.app.services.rate_limiter import RateLimiter
from backend.app.services.tally import Tally
from backend.app.utils.config import Settings
from tests.fakes import translators
from tests.fakes.claude import FakeClaude
from tests.fixtures.adaptation import URDU, OpenPipeline, Pipeline, chapter_of, long_chapter
from tests.fixtures.budget import read_ledger

pytestmark = pytest.mark.anyio

MODEL = "claude-haiku-5-5"
TRY = PlannedTry("answer", MODEL, "v", None, Usage(2_000, 1_000), 20.0)
CHAPTER = long_chapter()


@pytest.fixture
def tally() -> Tally:
    return Tally()


async def test_the_ledger_tells_what_each_settled_call_cost(db: DBService, tally: Tally, database_url: str) -> None:
    budget = BudgetService(Settings(), db, tally)
    for outcome, usage in [("complete", Usage(100, 20, 30, 40, 5)), ("unknown", None), ("not_billed", None)]:
        (await budget.reserve(TRY)).settle(outcome, usage)  # pyright: ignore[reportArgumentType]
    await budget.close()
    assert tally.cost_microusd["answer", MODEL] == read_ledger(database_url).spent > 0
    assert tally.tokens["answer", MODEL, "cache_write"] == 40
    assert tally.tokens["answer", MODEL, "input"] == 100


async def test_a_call_that_cannot_be_settled_is_not_written() -> None:
    dead = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    assert not await BudgetService(Settings(), dead).write(1, "complete", 1, Usage(), None)
    await dead.close()


async def test_each_call_that_money_forbids_is_told_with_the_reason(db: DBService, tally: Tally) -> None:
    dead = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    poor = Settings(daily_budget_usd=Decimal("0.000001"))
    for budget in (BudgetService(poor, db, tally), BudgetService(Settings(), dead, tally)):
        with pytest.raises(NoMoney):
            await budget.reserve(TRY)
        await budget.close()
    with pytest.raises(NoMoney):
        await BudgetService(poor, db, tally).foresee([TRY])
    await dead.close()
    assert tally.events == {
        ("budget_refusals", "answer/day"): 2,
        ("budget_refusals", "answer/unreachable"): 1,
    }


async def test_each_429_is_told_with_its_limit(tally: Tally) -> None:
    settings = Settings(rate_limit_anonymous_questions_per_hour=2, rate_limit_all_anonymous_questions_per_hour=3)
    limiter = RateLimiter(settings, MemoryWindows(), tally)
    for network in ("a", "a", "a", "b", "b", "c"):
        try:
            await limiter.admit_question(None, network)
        except RateLimited:
            continue
    assert tally.events == {("rate_limited", "questions"): 1, ("rate_limited", "anonymous"): 2}


@pytest.fixture
async def telling(
    pipeline: Pipeline, tally: Tally, db: DBService, embedder: EmbeddingService, claude: FakeClaude
) -> AsyncIterator[Pipeline]:
    """A pipeline that tells `tally`."""
    model = ClaudeService("k", MODEL, base_url=claude.base_url, telemetry=tally)
    service = AdaptationService(AdaptationTasks(Settings()), model, db, embedder, telemetry=tally)
    yield Pipeline(service, db, claude, pipeline.readers, pipeline.dsn)
    await service.close()
    await model.close()


def times(tally: Tally) -> dict[str, int]:
    return {stage: latency.buckets.total() for stage, latency in tally.latencies.items()}


async def test_a_chapter_tells_what_was_there_and_what_had_to_be_written(telling: Pipeline, tally: Tally) -> None:
    telling.claude.adapts(translators.good)
    await telling.db.replace_chapters([CHAPTER])
    made, *_ = await asyncio.gather(*(telling.adapt(CHAPTER) for _ in range(3)))
    assert tally.events["chapter_cache", "translation/miss"] == 3  # none was there, and it was made once
    assert tally.events["section_cache", "translation/miss"] == made.sections
    assert ("section_cache", "translation/hit") not in tally.events
    assert times(tally) == {"claude_translate": made.sections, "section": made.sections, "chapter": 1}

    await telling.adapt(CHAPTER)
    assert tally.events["chapter_cache", "translation/hit"] == 1
    assert times(tally) == {"claude_translate": made.sections, "section": made.sections, "chapter": 1}


async def test_an_edited_chapter_tells_how_little_had_to_be_written(telling: Pipeline, tally: Tally) -> None:
    telling.claude.adapts(translators.good)
    made = await telling.adapt(CHAPTER)
    code = chapter_of(CHAPTER.content.replace("speed = 0", "speed = 9"), title=CHAPTER.title)
    await telling.adapt(code)  # changed in every section, and nothing to write
    assert tally.events["section_cache", "translation/hit"] == made.sections
    assert times(tally)["chapter"] == 1


async def test_a_chapter_that_fails_takes_no_time(telling: Pipeline, tally: Tally) -> None:
    telling.claude.fails(400, times=20)
    with pytest.raises(AIServiceBusy):
        await telling.adapt(CHAPTER)
    assert times(tally) == {}


async def test_nobody_has_to_listen(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline()
    pipeline.claude.adapts(translators.good)
    assert not (await pipeline.adapt(CHAPTER, URDU)).cached
