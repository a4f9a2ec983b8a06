"""Adapted chapters: what is not accepted leaves no row and is not counted."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from backend.app.adaptation.task import Task
from backend.app.errors import (
    AIServiceBusy,
    PersonalizationFailed,
    TooLongToAdapt,
    TranslationFailed,
)
from backend.app.models.adaptation import Target
from backend.app.services.adaptation_plan import recipe_of
from backend.app.services.adaptation_store import AdaptationStore
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.utils.config import Settings
from tests.fakes import adapters, translators
from tests.fakes.claude import Body
from tests.fixtures.adaptation import (
    BEGINNER,
    CHAPTER,
    SECTIONS,
    URDU,
    OpenPipeline,
    Pipeline,
    chapter_of,
    in_the_book,
)
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio


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
