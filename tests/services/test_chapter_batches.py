"""Chapters by batches: paid for once whatever happens, checked like every other reply, exact to the millionth."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backend.app.models.adaptation import Order, Personalize
from backend.app.models.domain import Chapter
from backend.app.services.batch_fetcher import BatchFetcher, Fetched
from backend.app.services.batch_sender import BatchSender
from backend.app.services.claude_batches import BatchCallFailed, ClaudeBatches
from backend.app.services.claude_service import ClaudeService
from backend.app.services.prewarming import Job, make, survey
from tests.fakes import adapters
from tests.fakes.claude import Body
from tests.fixtures.adaptation import OpenPipeline, Pipeline, chapter_of, long_chapter
from tests.fixtures.budget import Ledger, read_ledger
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio
BEGINNER = Personalize("beginner", "none")
CHAPTERS = [long_chapter(number, f"module/walking-{number}") for number in range(3)]
SECTIONS = 4
RICH = chapter_of(
    "# Motors\n\nA **servo motor** turns to an angle of 45 degrees, and it stays there until it is told otherwise. "
    "A **stepper motor** moves in 200 steps for each turn, which is why its position is known without a sensor.\n\n"
    "Call `motor.start()` first, then [read the manual](https://example.org/manual) and call `motor.stop()` again. "
    "The controller waits 20 milliseconds between two commands, because the motor needs that time.\n\n"
    "- a driver for each motor, which takes 5 volts\n- a battery with 12 volts for all of them\n"
    "- a switch that stops everything at once\n\n"
    "| motor | steps |\n|---|---|\n| small | 200 |\n| large | 400 |\n\n"
    "Three of these motors carry the arm, and two turn the hand. Each has its own cable, and no cable may be longer "
    "than 30 centimetres, because a long cable catches noise from the others.\n",
    "module/motors",
    "Motors",
)
PLENTY = {"all": 10_000_000}


@dataclass
class Prewarming:
    """One process' prewarming."""

    pipeline: Pipeline
    sender: BatchSender
    fetcher: BatchFetcher

    async def jobs(self, *chapters: Chapter) -> list[Job]:
        return await survey(self.pipeline.service, chapters or CHAPTERS, [BEGINNER], lambda _done, _total: None)

    async def fetch(self) -> Fetched:
        return await self.fetcher.fetch_all(0.0, lambda _done, _total: None)


Open = Callable[..., Prewarming]


@pytest.fixture
async def prewarming(open_pipeline: OpenPipeline) -> AsyncIterator[Open]:
    """`prewarming(limits=..., settles_s=0)`: as another process has it; the book has its chapters already."""
    doors: list[ClaudeService] = []

    def start(limits: dict[str, int] = PLENTY, settles_s: float = 300.0) -> Prewarming:
        pipeline = open_pipeline()
        doors.append(ClaudeService("k", "claude-haiku-5-5", base_url=pipeline.claude.base_url))
        batches = ClaudeBatches(doors[-1], backoff_s=0.01)
        sender = BatchSender(batches, pipeline.db, limits, settles_s=settles_s)
        return Prewarming(pipeline, sender, BatchFetcher(pipeline.service, batches, sender, pipeline.db))

    first = start()
    first.pipeline.claude.adapts(adapters.good)
    await first.pipeline.db.replace_chapters(CHAPTERS)
    yield start
    for door in doors:
        await door.close()


def charged(pipeline: Pipeline) -> int:
    """What the API charges for all lines of all batches: Haiku's prices, halved, each line rounded up."""
    results = [result for batch in pipeline.claude.batches.made for result in batch.results.values()]
    used = [result["message"]["usage"] for result in results if result["type"] == "succeeded"]
    return sum(math.ceil((each["input_tokens"] * 100 + each["output_tokens"] * 500) / 2000) for each in used)


def settled(dsn: str, spent: int) -> None:
    assert read_ledger(dsn) == Ledger(spent, 0, spent, 0)


async def test_a_batch_brings_every_section_and_the_chapters_need_no_call(
    prewarming: Open, database_url: str
) -> None:
    here = prewarming()
    jobs = await here.jobs()
    sent = await here.sender.send(jobs)
    assert sent.left == ()
    held = sum(job.cost(in_batch=True).most_microusd for job in jobs)
    assert read_ledger(database_url) == Ledger(0, held, 0, held)
    (batch,) = here.pipeline.claude.batches.made
    assert len(batch.requests) == 3 * SECTIONS
    looks: list[tuple[int, int]] = []
    fetched = await here.fetcher.fetch_all(0.0, lambda *look: looks.append(look))
    assert looks == [(0, 12), (12, 12)]
    assert (fetched.saved, fetched.failed, fetched.troubles) == (12, [], [])
    assert fetched.cost_microusd == charged(here.pipeline) <= held
    settled(database_url, fetched.cost_microusd)
    made = await make(here.pipeline.service, [job.order for job in jobs], lambda _done, _total: None)
    assert len(made.done) == 3
    assert here.pipeline.calls == 0
    assert all(job.is_there for job in await here.jobs())
    for table in ("claude_batches", "claude_batch_lines"):
        assert here.pipeline.rows(table) == 0
    with statements(database_url) as cursor:
        cursor.execute("SELECT DISTINCT user_id, feature, outcome, claude_request_id FROM claude_calls")
        assert cursor.fetchall() == [(None, "personalize", "complete", batch.id)]
    by_calls = [await here.pipeline.service.generate(job.order, None) for job in jobs]
    assert [chapter.cached for chapter in by_calls] == [True] * 3


async def test_another_process_goes_on_with_a_batch_and_sends_nothing_twice(
    prewarming: Open, database_url: str
) -> None:
    await prewarming().sender.send(await prewarming().jobs())
    other = prewarming()
    again = await other.sender.send(await other.jobs())
    assert (again.batch, again.left) == (None, ())
    assert (await other.fetch()).saved == 3 * SECTIONS
    assert len(other.pipeline.claude.batches.made) == 1
    settled(database_url, charged(other.pipeline))


async def test_a_batch_whose_answer_was_lost_is_found_among_those_of_others(
    prewarming: Open, database_url: str
) -> None:
    here = prewarming()
    claude = here.pipeline.claude
    jobs = await here.jobs()
    requests: Any = {f"elsewhere_{number}": {"max_tokens": 1} for number in range(3 * SECTIONS)}
    door = ClaudeService("k", "claude-haiku-5-5", base_url=claude.base_url)
    await ClaudeBatches(door).create(requests)
    claude.batches.swallows("create")
    sending = asyncio.create_task(here.sender.send(jobs))
    while len(claude.batches.made) < 2:  # noqa: ASYNC110  # the server runs in another thread
        await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await ClaudeBatches(door).create(requests)
    await door.close()
    other = prewarming()
    assert (await other.sender.send(await other.jobs())).batch is None
    fetched = await other.fetch()
    assert fetched.saved == 3 * SECTIONS
    assert len(claude.batches.made) == 3  # ours and the two of somebody else
    settled(database_url, charged(here.pipeline))


async def test_a_batch_that_was_never_made_holds_nothing_for_long(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    here.pipeline.claude.batches.fails("create", 504)
    sent = await here.sender.send(await here.jobs())
    assert sent.batch
    assert (await here.sender.look(sent.batch)).state is None  # it may still come
    assert read_ledger(database_url).reserved > 0
    later = prewarming(settles_s=0.0)
    assert (await later.fetch()).saved == 0
    settled(database_url, 0)
    assert (await later.sender.send(await later.jobs())).batch


async def test_a_batch_that_is_refused_holds_nothing(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    here.pipeline.claude.batches.fails("create", 400)
    with pytest.raises(BatchCallFailed):
        await here.sender.send(await here.jobs())
    settled(database_url, 0)
    assert here.pipeline.rows("claude_batches") == 0


@pytest.mark.parametrize("keep_bytes", [0, 700, 9_000])
async def test_results_that_break_off_are_fetched_again_and_counted_once(
    prewarming: Open, database_url: str, keep_bytes: int
) -> None:
    here = prewarming()
    await here.sender.send(await here.jobs())
    here.pipeline.claude.batches.cuts_results(keep_bytes=keep_bytes)
    fetched = await here.fetch()
    assert fetched.saved == 3 * SECTIONS
    assert here.pipeline.claude.batches.asked.count("results") == 2
    assert fetched.cost_microusd == charged(here.pipeline)
    settled(database_url, charged(here.pipeline))


async def test_a_line_that_did_not_succeed_is_told_and_not_billed(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    claude = here.pipeline.claude
    claude.batches.lines = {
        "expired": lambda body: "The balance first" in _asked(body),
        "errored": lambda body: "The rhythm first" in _asked(body),
        "canceled": lambda body: "The posture first" in _asked(body),
    }
    await here.sender.send(await here.jobs(CHAPTERS[0]))
    fetched = await here.fetch()
    assert fetched.saved == 1
    assert {failed.section: failed.reasons for failed in fetched.failed} == {
        "Walking 0": ("Claude did not come to it within a day.",),
        "Rhythm": ("Claude: api_error.",),
        "Posture": ("The batch was cancelled.",),
    }
    settled(database_url, charged(here.pipeline))
    assert here.pipeline.rows("section_cache") == 1


@pytest.mark.parametrize(
    "name",
    ["mark_dropped", "mark_doubled", "number_changed", "heading_added", "html", "empty", "cut", "refused", "echo"],
)
async def test_replies_that_the_checks_refuse_are_listed_paid_for_and_not_kept(
    prewarming: Open, database_url: str, name: str
) -> None:
    here = prewarming()
    spoilt: set[str] = set()

    def hostile(body: Body) -> Any:
        said = adapters.HOSTILE[name](body)
        if said != adapters.good(body):
            spoilt.add(_asked(body))
        return said

    here.pipeline.claude.adapts(hostile)
    await here.pipeline.db.replace_chapters([RICH])
    (job,) = await here.jobs(RICH)
    await here.sender.send([job])
    fetched = await here.fetch()
    assert spoilt
    assert len(fetched.failed) == len(spoilt)
    assert all(failed.reasons for failed in fetched.failed)
    assert here.pipeline.rows("section_cache") == len(job.sections) - len(spoilt) == fetched.saved
    settled(database_url, charged(here.pipeline))


async def test_a_refusal_and_a_cut_reply_are_listed(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    ends = {"balance": "refusal", "rhythm": "max_tokens"}

    def adapter(body: Body) -> Any:
        ended = next((end for word, end in ends.items() if f"The {word} first" in _asked(body)), "end_turn")
        return adapters.good(body), ended

    here.pipeline.claude.adapts(adapter)
    await here.sender.send(await here.jobs(CHAPTERS[0]))
    fetched = await here.fetch()
    assert (fetched.saved, {failed.section for failed in fetched.failed}) == (2, {"Walking 0", "Rhythm"})
    settled(database_url, charged(here.pipeline))


async def test_a_reply_without_figures_costs_what_was_held_for_it(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    jobs = await here.jobs(CHAPTERS[0])
    here.pipeline.claude.says(adapters_blocks, times=SECTIONS, usage={"input_tokens": 0, "output_tokens": 0})
    await here.sender.send(jobs)
    assert (await here.fetch()).saved == SECTIONS
    settled(database_url, jobs[0].cost(in_batch=True).most_microusd)


async def test_money_for_a_part_sends_a_part_and_the_rest_is_left(prewarming: Open, database_url: str) -> None:
    jobs = await prewarming().jobs()
    most = [job.cost(in_batch=True).most_microusd for job in jobs]
    here = prewarming({"all": 10_000_000, "owner": most[0] + most[1] + most[2] - 1})
    sent = await here.sender.send(jobs)
    assert [job.order.chapter for job in sent.left] == [CHAPTERS[2]]
    assert read_ledger(database_url).reserved == most[0] + most[1]
    assert (await here.sender.send(jobs)).left == sent.left
    await here.fetch()
    assert (await here.sender.send(await here.jobs())).left == ()  # what was held and not used is there again


async def test_simultaneous_senders_send_each_section_once(prewarming: Open, database_url: str) -> None:
    processes = [prewarming() for _ in range(3)]
    jobs = await processes[0].jobs()
    chosen = [jobs[:2], jobs[1:], jobs]
    await asyncio.gather(*(each.sender.send(part) for each, part in zip(processes, chosen, strict=True)))
    made = processes[0].pipeline.claude.batches.made
    assert sum(len(batch.requests) for batch in made) == 3 * SECTIONS
    assert (await processes[0].fetch()).saved == 3 * SECTIONS
    settled(database_url, charged(processes[0].pipeline))


async def test_two_that_fetch_the_same_batch_count_it_once(prewarming: Open, database_url: str) -> None:
    first, second = prewarming(), prewarming()
    await first.sender.send(await first.jobs())
    both = await asyncio.gather(first.fetch(), second.fetch())
    assert max(fetched.saved for fetched in both) == 3 * SECTIONS
    settled(database_url, charged(first.pipeline))


async def test_a_batch_that_ends_on_another_day_is_settled_on_its_own(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    await here.sender.send(await here.jobs())
    with statements(database_url) as cursor:
        cursor.execute("UPDATE claude_calls SET day = day - 1; UPDATE budget SET day = day - 1")
    await here.fetch()
    with statements(database_url) as cursor:
        cursor.execute("SELECT day < current_date, spent_microusd, reserved_microusd FROM budget")
        assert cursor.fetchall() == [(True, charged(here.pipeline), 0)]


async def test_a_batch_is_lost_only_when_its_results_are_gone(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    await here.sender.send(await here.jobs())
    with statements(database_url) as cursor:
        cursor.execute("UPDATE claude_calls SET expires_at = expires_at - interval '29 days'")
        assert await here.pipeline.db.sweep_budget() == 0
        cursor.execute("UPDATE claude_calls SET expires_at = now() - interval '1 second'")
    held = read_ledger(database_url).reserved
    assert await here.pipeline.db.sweep_budget() == 3 * SECTIONS
    settled(database_url, held)
    assert (await here.fetch()).saved == 3 * SECTIONS  # they were there after all
    settled(database_url, held)
    assert here.pipeline.rows("claude_batches") == 0


async def test_what_was_edited_meanwhile_is_paid_for_and_not_kept(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    await here.sender.send(await here.jobs())
    await here.pipeline.db.replace_chapters([long_chapter(7, CHAPTERS[0].chapter_id), CHAPTERS[1]])
    fetched = await here.fetch()
    edited = {failed.chapter_id for failed in fetched.failed}
    assert edited == {CHAPTERS[0].chapter_id, CHAPTERS[2].chapter_id}
    assert {reason for failed in fetched.failed for reason in failed.reasons} == {
        "The chapter was edited while the batch was under way."
    }
    settled(database_url, charged(here.pipeline))


async def test_a_batch_of_another_key_is_told_and_stays(prewarming: Open, database_url: str) -> None:
    here = prewarming()
    await here.sender.send(await here.jobs())
    made = here.pipeline.claude.batches.made.pop()
    (trouble,) = (await here.fetch()).troubles
    assert made.id in trouble
    assert "not_found_error" in trouble
    here.pipeline.claude.batches.made.append(made)
    assert (await here.fetch()).saved == 3 * SECTIONS


async def test_chapters_that_are_alike_share_their_sections(prewarming: Open) -> None:
    here = prewarming()
    twins = [long_chapter(1, "a"), long_chapter(1, "b")]
    await here.pipeline.db.replace_chapters(twins)
    await here.sender.send(await here.jobs(*twins))
    assert len(here.pipeline.claude.batches.made[0].requests) == SECTIONS
    await here.fetch()
    made = await make(here.pipeline.service, [Order(BEGINNER, twin) for twin in twins], lambda _d, _t: None)
    assert len(made.done) == 2
    assert here.pipeline.calls == 0


def _asked(body: Body) -> str:
    return body["messages"][0]["content"][0]["text"]


def adapters_blocks(body: Body) -> Any:
    return [{"type": "text", "text": adapters.good(body)}]
