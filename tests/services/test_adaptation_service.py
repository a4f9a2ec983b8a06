"""Adapted chapters: made from sections, kept, found again, counted, and never a wrong one."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from backend.app.adaptation.task import Task
from backend.app.errors import (
    AIServiceBusy,
    BudgetExhausted,
    DatabaseUnavailable,
    ModelNotConfigured,
    PersonalizationFailed,
    RateLimited,
    TooLongToAdapt,
    TranslationFailed,
)
from backend.app.models.adaptation import AdaptedChapter, Order, Personalize, SectionReady, Target, Translate
from backend.app.services.adaptation_plan import recipe_of
from backend.app.services.adaptation_store import AdaptationStore
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.budget_service import BudgetService
from backend.app.services.db_service import DBService, open_db
from backend.app.utils.config import Settings
from tests.fakes import adapters, translators
from tests.fakes.claude import Body
from tests.fixtures.adaptation import URDU, OpenPipeline, Pipeline, chapter_of, long_chapter, reader_of
from tests.fixtures.budget import read_ledger
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio
BEGINNER = Personalize("beginner", "none")
CHAPTER = long_chapter()
SECTIONS = 4


async def in_the_book(pipeline: Pipeline, *chapters: Any) -> None:
    await pipeline.db.replace_chapters(chapters)


async def listen(events: AsyncGenerator[Any]) -> list[Any]:
    async with aclosing(events) as heard:
        return [event async for event in heard]


async def test_a_chapter_is_made_once_and_then_found_in_one_query(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None
    made = await pipeline.adapt(CHAPTER)
    assert (made.cached, made.sections, made.content_hash) == (False, SECTIONS, CHAPTER.content_hash)
    assert made.content != CHAPTER.content
    assert "speed = 0  # Balance" in made.content
    assert pipeline.calls == SECTIONS
    found = await pipeline.service.find_cached(URDU, CHAPTER.chapter_id)
    assert found == await pipeline.adapt(CHAPTER) == replace(made, cached=True)
    assert pipeline.calls == SECTIONS
    assert pipeline.rows("chapter_leases") == 0


async def test_the_sections_come_in_order_and_are_the_chapter(pipeline: Pipeline) -> None:
    waits = iter((0.4, 0.2, 0.0, 0.0))
    for wait_s in waits:  # the first is the last to come
        pipeline.claude.says(lambda body: [{"type": "text", "text": translators.good(body)}], delay_s=wait_s)
    order, admit = Order(URDU, CHAPTER), pipeline.readers.admit()
    *sections, chapter = await listen(pipeline.service.stream(order, reader_of(), admit))
    assert all(isinstance(section, SectionReady) for section in sections)
    assert isinstance(chapter, AdaptedChapter)
    assert [(section.index, section.total) for section in sections] == [(n, SECTIONS) for n in range(SECTIONS)]
    assert sections[0].done > 1
    assert "".join(section.content for section in sections) == chapter.content


async def test_an_edited_paragraph_costs_one_call_and_the_old_text_is_gone_at_once(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    before = await pipeline.adapt(CHAPTER)
    edited = chapter_of(CHAPTER.content.replace("rhythm second", "rhythm and pace", 1), title=CHAPTER.title)
    await in_the_book(pipeline, edited)
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None
    after = await pipeline.adapt(edited)
    assert pipeline.calls == SECTIONS + 1
    assert "and pace" in pipeline.claude.last_body["messages"][0]["content"][0]["text"]
    assert not after.cached
    assert before.content != after.content


async def test_edited_code_costs_no_call_and_the_new_code_is_shown(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    before = await pipeline.adapt(CHAPTER)
    edited = chapter_of(CHAPTER.content.replace("speed = 0  # Rhythm", "speed = 77"), title=CHAPTER.title)
    await in_the_book(pipeline, edited)
    after = await pipeline.adapt(edited)
    assert pipeline.calls == SECTIONS
    assert after.content == before.content.replace("speed = 0  # Rhythm", "speed = 77")
    assert after.cached
    assert await pipeline.readers.used() == 1


async def test_a_chapter_that_leaves_the_book_is_not_served_and_its_rows_go(
    pipeline: Pipeline, db: DBService
) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    await pipeline.adapt(CHAPTER)
    await in_the_book(pipeline, long_chapter(1, "another"))
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None
    await db.sweep_adaptations()
    assert pipeline.rows("translations_cache") == 0
    assert pipeline.rows("section_cache") == SECTIONS


async def test_a_chapter_that_is_edited_while_it_is_translated_leaves_no_row(pipeline: Pipeline) -> None:
    await in_the_book(pipeline, long_chapter(1))
    pipeline.claude.adapts(translators.good)
    made = await pipeline.adapt(CHAPTER)  # read before the book changed
    assert made.content_hash == CHAPTER.content_hash
    assert pipeline.rows("translations_cache") == 0
    assert pipeline.rows("section_cache") == SECTIONS


async def test_each_variant_and_model_has_its_own_text(pipeline: Pipeline, open_pipeline: OpenPipeline) -> None:
    pipeline.claude.adapts(lambda body: translators.good(body))
    await in_the_book(pipeline, CHAPTER)
    await pipeline.adapt(CHAPTER)
    assert await pipeline.service.find_cached(Translate("fr"), CHAPTER.chapter_id) is None
    other = open_pipeline(claude_translation_model="claude-haiku-5-5")
    assert await other.service.find_cached(URDU, CHAPTER.chapter_id) is None


async def test_a_chapter_for_a_level_says_what_it_adds_and_how_much_it_covers(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(adapters.good)
    await in_the_book(pipeline, CHAPTER)
    made = await pipeline.adapt(CHAPTER, BEGINNER)
    assert made.coverage is not None
    assert 0.8 < made.coverage <= 1
    assert made.changes
    assert {change.kind for change in made.changes} <= {"definition", "example", "step by step"}
    found = await pipeline.service.find_cached(BEGINNER, CHAPTER.chapter_id)
    assert found is not None
    assert found.coverage == pytest.approx(made.coverage)
    assert replace(found, coverage=None) == replace(made, cached=True, coverage=None)
    assert await pipeline.service.find_cached(Personalize("beginner", "gpu"), CHAPTER.chapter_id) is None


# A client's own text


async def test_a_text_of_a_client_is_kept_by_its_sections_and_never_as_the_chapter(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    own = long_chapter(9, CHAPTER.chapter_id)
    first = await pipeline.adapt(own, is_own_text=True)
    assert not first.cached
    assert pipeline.rows("translations_cache") == 0
    again = await pipeline.adapt(own, is_own_text=True, reader=2)
    assert again == replace(first, cached=True)
    assert pipeline.calls == SECTIONS
    assert pipeline.readers.admitted == [1]
    assert await pipeline.service.find_cached(URDU, CHAPTER.chapter_id) is None


@pytest.mark.parametrize("is_own_text", [False, True])
async def test_why_a_section_is_refused_is_logged_but_no_word_of_a_readers_text(
    pipeline: Pipeline, is_own_text: bool
) -> None:
    pipeline.claude.adapts(translators.HOSTILE["untranslated"])
    await in_the_book(pipeline, CHAPTER)
    chapter = long_chapter(9, CHAPTER.chapter_id) if is_own_text else CHAPTER
    with capture_logs() as logs, pytest.raises(TranslationFailed):
        await pipeline.adapt(chapter, is_own_text=is_own_text)
    refused = [entry for entry in logs if entry["event"] == "section_refused"]
    assert refused
    assert all(entry["chapter_id"] == CHAPTER.chapter_id and entry["target"] == "ur" for entry in refused)
    assert ("walking machine" in str(logs)) is not is_own_text


async def test_whoever_asks_the_same_is_sent(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    bodies: list[list[str]] = []
    for reader in (1, 2):
        await pipeline.adapt(CHAPTER, reader=reader)
        bodies.append(sorted(json.dumps(request.body) for request in pipeline.claude.requests))
        pipeline.claude.requests.clear()
        with statements(pipeline.dsn) as cursor:
            cursor.execute("TRUNCATE translations_cache, section_cache")
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) == SECTIONS


# What is not accepted


async def test_the_second_try_hears_what_was_wrong(pipeline: Pipeline) -> None:
    pipeline.claude.says("Something else.")
    pipeline.claude.adapts(translators.good)
    chapter = chapter_of("# Robots\n\nA robot is a machine that can `move`.\n")
    made = await pipeline.adapt(chapter)
    assert made.sections == 1
    first, second = (request.body["messages"] for request in pipeline.claude.requests)
    assert second[:1] == first
    assert second[1]["content"][0]["text"] == "Something else."
    assert second[2]["role"] == "user"
    with statements(pipeline.dsn) as cursor:
        cursor.execute("SELECT cost_microusd, stop_reason FROM section_cache")
        ((cost, stop_reason),) = cursor.fetchall()
    usages = [pipeline.claude.requests[n].body["max_tokens"] for n in (0, 1)]
    assert usages[1] > usages[0]
    assert stop_reason == "end_turn"
    assert cost > 2_000  # of both tries on Sonnet


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal"])
async def test_a_reply_that_is_not_complete_is_none(pipeline: Pipeline, stop_reason: str) -> None:
    pipeline.claude.adapts(lambda body: (translators.good(body), stop_reason))
    await in_the_book(pipeline, CHAPTER)
    with pytest.raises(TranslationFailed):
        await pipeline.adapt(CHAPTER)
    assert_no_chapter_is_kept(pipeline)
    assert pipeline.rows("section_cache") == 0


def spoil_one(spoil: Callable[[Body], Any], good: Callable[[Body], str]) -> Callable[[Body], Any]:
    """Hostile for the second section alone, every time."""

    def reply(body: Body) -> Any:
        return spoil(body) if "Rhythm" in body["messages"][0]["content"][0]["text"] else good(body)

    return reply


def assert_no_chapter_is_kept(pipeline: Pipeline) -> None:
    assert [pipeline.rows(table) for table in ("translations_cache", "personalized_content_cache")] == [0, 0]
    with statements(pipeline.dsn) as cursor:
        cursor.execute("SELECT count(*) FROM chapter_leases WHERE failure IS NULL")
        assert cursor.fetchall() == [(0,)]


async def test_a_failed_section_fails_the_chapter_and_the_others_are_not_paid_again(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(spoil_one(lambda _: "Nothing of it.", translators.good))
    await in_the_book(pipeline, CHAPTER)
    with pytest.raises(TranslationFailed, match=r"^Translation failed. Please try again.$"):
        await pipeline.adapt(CHAPTER)
    assert_no_chapter_is_kept(pipeline)
    assert pipeline.rows("section_cache") == SECTIONS - 1
    assert await pipeline.readers.used() == 0
    calls = pipeline.calls
    pipeline.claude.adapts(translators.good)
    await pipeline.adapt(CHAPTER)
    assert pipeline.calls == calls + 1
    assert await pipeline.readers.used() == 1


def break_down(*_: object) -> Any:
    raise ZeroDivisionError


class Breaking:
    """A task of the real kind that breaks at one place as only a bug can, or does something else there."""

    def __init__(self, task: Task, place: str, instead: Callable[..., Any] = break_down) -> None:
        self._task, self._place, self._instead = task, place, instead

    def __getattr__(self, name: str) -> Any:
        if name == self._place:
            return self._instead
        return getattr(self._task, name)

    def finisher(self, title: str) -> Any:
        return Breaking(cast("Task", self._task.finisher(title)), self._place)


class BreakingTasks(AdaptationTasks):
    """`place`: a method of the task or its finisher."""

    def __init__(self, place: str) -> None:
        super().__init__(Settings())
        self.place = place

    def task(self, target: Target) -> Task:
        return cast("Task", Breaking(super().task(target), self.place)) if self.place else super().task(target)


@pytest.mark.parametrize(("place", "calls", "kept"), [("prepare", 0, 0), ("problems", 4, 0), ("add", 4, 4)])
@pytest.mark.parametrize(
    ("target", "good", "failure"),
    [(URDU, translators.good, TranslationFailed), (BEGINNER, adapters.good, PersonalizationFailed)],
)
async def test_a_bug_of_ours_is_a_failed_chapter_that_nobody_is_counted_for(
    open_pipeline: OpenPipeline,
    place: str,
    calls: int,
    kept: int,
    target: Target,
    good: Any,
    failure: type[Exception],
) -> None:
    tasks = BreakingTasks(place)
    pipeline = open_pipeline(tasks=tasks)
    pipeline.claude.adapts(good)
    await in_the_book(pipeline, CHAPTER)
    with capture_logs() as logs, pytest.raises(failure, match=r"failed. Please try again.$"):
        await pipeline.adapt(CHAPTER, target)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["adapting_broke"]
    assert pipeline.calls <= calls
    assert pipeline.rows("section_cache") <= kept
    assert_no_chapter_is_kept(pipeline)
    assert await pipeline.readers.used() == 0
    tasks.place = ""
    assert (await pipeline.adapt(CHAPTER, target)).sections == SECTIONS


async def test_a_block_that_no_reply_can_hold_is_refused_before_anything_is_paid(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    table = "| a | b |\n|---|---|\n" + "| many words in a row | and more |\n" * 600
    chapter = chapter_of(f"# Walking\n\nSome words.\n\n## Table\n\n{table}")
    await in_the_book(pipeline, chapter)
    for is_own_text in (False, True):
        with pytest.raises(TooLongToAdapt, match=r"begins with '.*Table .* Divide it"):
            await pipeline.adapt(chapter, is_own_text=is_own_text)
    assert (pipeline.calls, await pipeline.readers.used(), pipeline.rows("chapter_leases")) == (0, 0, 0)


class Noting(BreakingTasks):
    """Notes whose texts are planned, and how many at once."""

    def __init__(self) -> None:
        super().__init__("prepare")
        self.begun: list[str] = []
        self.most = self.now = 0

    def task(self, target: Target) -> Task:
        return cast("Task", Breaking(AdaptationTasks.task(self, target), self.place, self._note))

    def _note(self, content: str) -> str:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.02)
        self.begun.append(content.strip())
        self.now -= 1
        return content


async def test_one_who_sends_many_texts_does_not_hold_up_another(open_pipeline: OpenPipeline) -> None:
    tasks = Noting()
    pipeline = open_pipeline(tasks=tasks)
    many = [pipeline.adapt(chapter_of(f"{n}", title=""), is_own_text=True) for n in range(8)]
    waiting = [asyncio.ensure_future(each) for each in many]
    await asyncio.sleep(0.01)
    await pipeline.adapt(chapter_of("999", title=""), reader=2, is_own_text=True)
    await asyncio.gather(*waiting)
    assert tasks.most == 1
    assert tasks.begun.index("999") < 4


async def test_a_late_save_by_one_who_lost_the_lease_is_whole_or_not_served(pipeline: Pipeline) -> None:
    """Who lost the lease is stopped, but a statement that is under way is not. What it writes was accepted whole; it
    replaces the row of the one who came after, and is read only where recipe and corrections are those of today."""
    pipeline.claude.adapts(translators.good)
    await in_the_book(pipeline, CHAPTER)
    made = await pipeline.adapt(CHAPTER)
    recipe = recipe_of(AdaptationTasks(Settings()).task(URDU), Settings().claude_translation_model)
    store = AdaptationStore(pipeline.db)
    for late_recipe, late in [
        (recipe, replace(made, corrections="of yesterday")),
        (replace(recipe, checks_version="of an older process"), made),
        (recipe, replace(made, content_hash="of another edition")),
    ]:
        await store.save(URDU, CHAPTER.chapter_id, late_recipe, replace(late, content="late"), 1)
        again = await pipeline.adapt(CHAPTER)
        assert replace(again, cached=False) == made
    assert pipeline.calls == SECTIONS
    assert pipeline.rows("translations_cache") == 1


RICH = chapter_of(
    """# Walking

Before anything else, an [overview](./overview.md) of **balance** and of the `gait` of a walking machine.

## Balance

A walking machine falls when its mass leaves the polygon of its feet. It has 2 feet and 12 joints of 1.5 kg each, and
every one of them turns by at most 45 degrees. Read [the manual](https://example.org/manual) before you build one.

Nobody who has watched a machine of this kind fall down a staircase will underestimate how quickly a controller \
has to react to what its sensors report about the floor, because the whole motion from the first small deviation of \
the hip to the collision with the ground takes less time than an engineer needs to reach the switch.

- The first joint carries the most.
- The second joint turns the foot.

| Joint | Force |
|---|---|
| Hip | 30 N |
| Knee | 25 kHz |

:::tip
Keep the machine close to the floor when it learns to walk.
:::

![A foot](./foot.png)

```python
balance = 1
```

The force is $F = ma$, and the floor pushes back with the same force on each of the two feet.

A controller compares what the sensor says with what the planner wants, and corrects the difference very often.
"""
)


WRAPPED = {"fenced", "tags_kept", "isolate_left_open"}
"""Good replies in a wrapping that says nothing: it is taken away."""


@pytest.mark.parametrize("name", sorted(WRAPPED))
async def test_a_wrapping_around_a_good_translation_is_taken_away(pipeline: Pipeline, name: str) -> None:
    pipeline.claude.adapts(translators.HOSTILE[name])
    await in_the_book(pipeline, RICH)
    wrapped = await pipeline.adapt(RICH)
    with statements(pipeline.dsn) as cursor:
        cursor.execute("TRUNCATE translations_cache, section_cache")
    pipeline.claude.adapts(translators.good)
    assert wrapped.content == (await pipeline.adapt(RICH)).content


@pytest.mark.parametrize("name", sorted(set(translators.HOSTILE) - WRAPPED))
async def test_no_hostile_translation_reaches_a_cache(pipeline: Pipeline, name: str) -> None:
    pipeline.claude.adapts(translators.HOSTILE[name])
    await in_the_book(pipeline, RICH)
    with pytest.raises(TranslationFailed):
        await pipeline.adapt(RICH)
    assert_no_chapter_is_kept(pipeline)
    assert pipeline.calls >= 2
    assert await pipeline.readers.used() == 0


@pytest.mark.parametrize("name", sorted(set(adapters.HOSTILE) - WRAPPED))
async def test_no_hostile_adaptation_reaches_a_cache(pipeline: Pipeline, name: str) -> None:
    pipeline.claude.adapts(adapters.HOSTILE[name])
    await in_the_book(pipeline, RICH)
    with pytest.raises(PersonalizationFailed):
        await pipeline.adapt(RICH, BEGINNER)
    assert_no_chapter_is_kept(pipeline)


async def test_a_tampered_section_is_ignored_and_replaced(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good)
    chapter = chapter_of("# Robots\n\nA robot is a machine that can move `now`.\n")
    made = await pipeline.adapt(chapter)
    for tampered in ("<script>alert(1)</script>", "", "import x from 'y'", "see [this](https://evil.example)"):
        with statements(pipeline.dsn) as cursor:
            cursor.execute("UPDATE section_cache SET reply = %s", (tampered,))
        calls = pipeline.calls
        assert (await pipeline.adapt(chapter)).content == made.content
        assert pipeline.calls == calls + 1


async def test_a_model_that_does_not_answer_is_not_counted(pipeline: Pipeline) -> None:
    pipeline.claude.fails(529, times=100)
    with pytest.raises(AIServiceBusy):
        await pipeline.adapt(CHAPTER)
    assert pipeline.readers.admitted == [1]
    assert await pipeline.readers.used() == 0


# Who is counted


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
