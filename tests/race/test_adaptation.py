"""A hundred readers want the same chapter at the same moment: it is written once, whoever leaves, fails or dies."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import pytest

from backend.app.errors import TranslationFailed
from backend.app.models.adaptation import AdaptedChapter, Order
from tests.fakes import claude_wire as wire
from tests.fakes import translators
from tests.fakes.claude import Body, FakeClaude
from tests.fixtures.adaptation import URDU, OpenPipeline, Pipeline, long_chapter, reader_of
from tests.fixtures.database import statements
from tests.fixtures.processes import REPO

pytestmark = [pytest.mark.anyio, pytest.mark.race]
ROUNDS, READERS, SECTIONS = 20, 100, 4


def good_content(body: Body) -> list[dict[str, Any]]:
    return [wire.text(translators.good(body))]


def count_rows(dsn: str, table: str) -> int:
    with statements(dsn) as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        ((count,),) = cursor.fetchall()
    return count


async def heard_of(events: AsyncGenerator[Any]) -> list[Any]:
    return [event async for event in events]


async def until(is_so: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(is_so):  # noqa: ASYNC110  # another process knows
        await asyncio.sleep(0.01)


async def test_a_hundred_misses_at_once_are_one_generation(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(rate_limit_translations_per_day=ROUNDS)
    pipeline.claude.adapts(translators.good)
    chapters = [long_chapter(number, f"c{number}") for number in range(ROUNDS)]
    await pipeline.db.replace_chapters(chapters)
    for number, chapter in enumerate(chapters, 1):
        asked = (pipeline.adapt(chapter, reader=reader) for reader in range(1, READERS + 1))
        assert len({result.content for result in await asyncio.gather(*asked)}) == 1
        assert pipeline.calls == number * SECTIONS
        assert len(pipeline.readers.admitted) == number
    assert pipeline.rows("translations_cache") == ROUNDS
    assert pipeline.rows("chapter_leases") == 0


@contextmanager
def workers(dsn: str, claude: FakeClaude, lease_s: float = 30.0) -> "Iterator[list[subprocess.Popen[str]]]":
    """Three processes, ready."""
    command = [sys.executable, "-m", "tests.race.adaptation_worker", dsn, claude.base_url, str(lease_s)]
    with ExitStack() as stack:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started = [stack.enter_context(subprocess.Popen(command, cwd=REPO, **pipes)) for _ in range(3)]
        assert [line_of(worker) for worker in started] == ["ready"] * 3
        yield started
        for worker in started:
            assert worker.stdin
            worker.stdin.close()
            worker.wait(60)


def ask(worker: "subprocess.Popen[str]", number: int, requests: int) -> None:
    assert worker.stdin
    worker.stdin.write(f"{number} {requests}\n")
    worker.stdin.flush()


def line_of(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout
    return worker.stdout.readline().strip()


def answers_of(asked: "list[subprocess.Popen[str]]") -> list[dict[str, Any]]:
    return [json.loads(line_of(worker)) for worker in asked]


def test_three_processes_make_one_generation_together(database_url: str, claude: FakeClaude) -> None:
    claude.adapts(translators.good)
    with workers(database_url, claude) as started:
        for number in range(1, ROUNDS + 1):
            for worker in started:
                ask(worker, number, READERS // 3)
            answers = answers_of(started)
            assert [answer["failed"] for answer in answers] == [[], [], []]
            assert len({text for answer in answers for text in answer["texts"]}) == 1
            assert sum(answer["counted"] for answer in answers) == 1
            assert len(claude.requests) == number * SECTIONS
    assert count_rows(database_url, "chapter_leases") == 0


async def test_a_leader_that_is_killed_is_followed_by_one_other_who_pays_no_section_again(
    database_url: str, claude: FakeClaude
) -> None:
    claude.says(good_content, times=2)
    claude.hangs(times=2)
    claude.adapts(translators.good)
    with workers(database_url, claude, lease_s=2.0) as (leader, *others):
        ask(leader, 1, 10)
        await until(lambda: count_rows(database_url, "section_cache") == 2)
        for worker in others:
            ask(worker, 1, 10)
        leader.kill()
        answers = await asyncio.to_thread(answers_of, others)
    assert [answer["failed"] for answer in answers] == [[], []]
    assert len({text for answer in answers for text in answer["texts"]}) == 1
    assert sum(answer["counted"] for answer in answers) == 1
    assert len(claude.requests) == SECTIONS + 2
    assert count_rows(database_url, "section_cache") == SECTIONS


async def test_a_failure_reaches_all_who_waited_and_nobody_tries_again(
    pipeline: Pipeline, database_url: str, claude: FakeClaude
) -> None:
    claude.adapts(lambda _: "No.", delay_s=2.0)  # so that all have asked before the first fails
    asked = (pipeline.adapt(long_chapter(), reader=reader) for reader in range(1, READERS + 1))
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(failure) for failure in failures] == [TranslationFailed] * READERS
    assert len(claude.requests) == 2 * SECTIONS
    assert await pipeline.readers.used(pipeline.readers.admitted[0]) == 0
    with workers(database_url, claude) as started:
        for worker in started:
            ask(worker, 1, 10)
        answers = await asyncio.to_thread(answers_of, started)
    assert [answer["failed"] for answer in answers] == [["translation_failed"] * 10] * 3
    assert len(claude.requests) == 4 * SECTIONS
    assert count_rows(database_url, "section_cache") == 0


async def test_whoever_comes_after_a_failure_begins_at_once(pipeline: Pipeline) -> None:
    pipeline.claude.says("No.", times=2 * SECTIONS)
    pipeline.claude.adapts(translators.good)
    with pytest.raises(TranslationFailed):
        await pipeline.adapt(long_chapter())
    assert isinstance(await pipeline.adapt(long_chapter()), AdaptedChapter)


async def test_a_leader_whose_client_goes_away_finishes(pipeline: Pipeline) -> None:
    pipeline.claude.adapts(translators.good, delay_s=0.3)
    leading = asyncio.create_task(pipeline.adapt(long_chapter(), reader=1))
    await until(pipeline.claude.received.is_set)
    joining = asyncio.create_task(pipeline.adapt(long_chapter(), reader=2))
    await asyncio.sleep(0)
    leading.cancel()
    assert isinstance(await joining, AdaptedChapter)
    assert pipeline.calls == SECTIONS
    assert pipeline.readers.admitted == [1]


async def test_a_generation_that_nobody_waits_for_any_more_is_there_for_the_next(
    pipeline: Pipeline, database_url: str
) -> None:
    chapter = long_chapter()
    await pipeline.db.replace_chapters([chapter])
    pipeline.claude.adapts(translators.good, delay_s=0.3)
    leading = asyncio.create_task(pipeline.adapt(chapter))
    await until(pipeline.claude.received.is_set)
    leading.cancel()
    await until(lambda: count_rows(database_url, "translations_cache") == 1)
    assert (await pipeline.adapt(chapter)).cached
    assert pipeline.calls == SECTIONS


async def test_who_comes_late_hears_the_sections_of_before_at_once(pipeline: Pipeline) -> None:
    pipeline.claude.says(good_content, times=SECTIONS - 1)
    pipeline.claude.says(good_content, delay_s=1.0)
    order = Order(URDU, long_chapter())
    first, late = (pipeline.service.stream(order, reader_of(n), pipeline.readers.admit(n)) for n in (1, 2))
    heard = [await anext(first)]
    heard_late = [await anext(late)]
    assert heard_late == heard
    assert [event async for event in late] == [event async for event in first]
    assert pipeline.readers.admitted == [1]


async def test_a_lease_that_was_lost_ends_the_work_which_goes_on_when_it_is_free_again(
    open_pipeline: OpenPipeline,
) -> None:
    pipeline = open_pipeline(lease_s=0.6)
    pipeline.claude.says(good_content, times=2)
    pipeline.claude.hangs(times=2)
    pipeline.claude.adapts(translators.good)
    order = Order(URDU, long_chapter())
    adapting = asyncio.create_task(heard_of(pipeline.service.stream(order, reader_of(), pipeline.readers.admit())))
    await until(lambda: pipeline.rows("section_cache") == 2)
    with statements(pipeline.dsn) as cursor:  # as if this process had slept and another had taken it
        stolen = "UPDATE chapter_leases SET owner = %s, expires_at = clock_timestamp() + interval '1 s'"
        cursor.execute(stolen, (str(uuid4()),))
    await asyncio.to_thread(pipeline.claude.left.wait, 60)
    *sections, chapter = await adapting
    assert [section.index for section in sections] == list(range(SECTIONS))
    assert "".join(section.content for section in sections) == chapter.content
    assert await pipeline.readers.used() == 1
    assert pipeline.calls == SECTIONS + 2
    assert pipeline.rows("chapter_leases") == 0


async def test_at_shutdown_the_work_stops_and_its_lease_is_free_and_its_count_given_back(
    pipeline: Pipeline, open_pipeline: OpenPipeline
) -> None:
    pipeline.claude.says(good_content, times=2)
    pipeline.claude.hangs(times=2)
    adapting = asyncio.create_task(pipeline.adapt(long_chapter()))
    await until(lambda: pipeline.rows("section_cache") == 2)
    await pipeline.service.close()
    with pytest.raises(TranslationFailed):
        await adapting
    assert pipeline.rows("chapter_leases") == 0
    assert await pipeline.readers.used() == 0
    pipeline.claude.adapts(translators.good)
    assert isinstance(await open_pipeline().adapt(long_chapter()), AdaptedChapter)
    assert pipeline.calls == SECTIONS + 2
