"""What was counted arrives in the database once, whatever happens to it on the way."""

import asyncio
from uuid import uuid4

import psycopg2.extensions
import pytest
from structlog.testing import capture_logs

from backend.app.services.daily_usage import DailyUsage
from backend.app.services.db_service import DBService, open_db
from backend.app.services.latency_buckets import bucket_of
from backend.app.services.tally import MAX_UNSAVED, Tally
from backend.app.services.usage_records import KEPT_DAYS
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio


def counters(dsn: str) -> dict[str, int]:
    with statements(dsn) as cursor:
        cursor.execute("SELECT name || ' ' || labels, sum(count)::integer FROM usage_counters GROUP BY 1")
        return dict(cursor.fetchall())


async def test_what_processes_count_is_added_up(db: DBService, database_url: str) -> None:
    for _ in range(3):
        tally = Tally()
        usage = DailyUsage(db, tally)
        for _ in range(2):
            tally.happened("answers", "claude", "answered", times=2)
            tally.took("embed", 0.004)
            await usage.save()
        await usage.close()
    assert counters(database_url) == {"answers claude/answered": 12}
    assert await db.list_stage_latency(1) == {"embed": {bucket_of(0.004): 6}}
    ((day, name),) = [(each.day, each.name) for each in await db.list_usage_counters(1)]
    with statements(database_url) as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        assert cursor.fetchone() == (day,)
    assert name == "answers"


async def test_times_and_events_are_saved_without_each_other(db: DBService, database_url: str) -> None:
    tally = Tally()
    usage = DailyUsage(db, tally)
    tally.took("search", 0.01)
    await usage.save()
    assert counters(database_url) == {}
    tally.happened("refusals", "gate")
    await usage.save()
    assert counters(database_url) == {"refusals gate": 1}
    assert await db.list_stage_latency(1) == {"search": {bucket_of(0.01): 1}}


async def test_a_batch_that_comes_again_changes_nothing(db: DBService, database_url: str) -> None:
    writer, batch = uuid4(), ({(20_000, "refusals", "gate"): 5}, {(20_000, "answer", 3): 7})
    await db.save_usage(writer, 1, *batch)
    await asyncio.gather(*(db.save_usage(writer, 1, *batch) for _ in range(4)))
    await db.save_usage(writer, 2, *batch)
    await db.save_usage(uuid4(), 1, *batch)
    assert counters(database_url) == {"refusals gate": 15}


async def test_when_nothing_happens_nothing_is_written(db: DBService, database_url: str) -> None:
    usage = DailyUsage(db, Tally(), save_every_s=0.01)
    usage.start()
    await asyncio.sleep(0.1)
    await usage.close()
    with statements(database_url) as cursor:
        cursor.execute("SELECT count(*) FROM usage_writers")
        assert cursor.fetchone() == (0,)


async def test_it_is_saved_by_itself_and_what_is_left_at_the_end(db: DBService, database_url: str) -> None:
    tally = Tally()
    usage = DailyUsage(db, tally, save_every_s=0.01)
    usage.start()
    tally.happened("refusals", "gate")
    async with asyncio.timeout(30):
        while counters(database_url) != {"refusals gate": 1}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    tally.happened("refusals", "gate")
    await usage.close()
    assert counters(database_url) == {"refusals gate": 2}


async def test_a_failing_database_loses_nothing_and_is_told_once(db: DBService, database_url: str) -> None:
    tally = Tally()
    usage = DailyUsage(db, tally)
    with statements(database_url) as cursor, capture_logs() as logs:
        cursor.execute("ALTER TABLE stage_latency RENAME TO away")
        try:
            for _ in range(3):
                tally.happened("refusals", "gate")
                tally.took("answer", 1.0)
                await usage.save()
        finally:
            cursor.execute("ALTER TABLE away RENAME TO stage_latency")
    assert [entry["event"] for entry in logs] == ["usage_not_saved"]
    assert counters(database_url) == {}
    await usage.save()
    assert counters(database_url) == {"refusals gate": 3}
    assert await db.list_stage_latency(1) == {"answer": {bucket_of(1.0): 3}}


async def test_a_commit_whose_answer_is_lost_is_not_counted_twice(db: DBService, database_url: str) -> None:
    """The batch is in the database, and its writer does not know: as after a connection cut in the wrong moment."""
    tally = Tally()
    usage = DailyUsage(db, tally, save_every_s=0.01)
    with statements(database_url) as cursor:
        _hold_up(cursor)
        tally.happened("refusals", "gate")
        saving = asyncio.create_task(usage.save())
        await _until_waiting(cursor)
        saving.cancel()  # the statement runs on, and its result is nobody's
        await asyncio.wait([saving])
        cursor.execute("COMMIT")
    await usage.close()
    assert counters(database_url) == {"refusals gate": 1}


def _hold_up(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("BEGIN; LOCK TABLE usage_counters IN EXCLUSIVE MODE")


async def _until_waiting(cursor: psycopg2.extensions.cursor) -> None:
    async with asyncio.timeout(30):
        while True:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() == (1,):
                return
            await asyncio.sleep(0.01)


async def test_a_database_that_is_gone_is_one_line_in_the_log_and_what_waits_is_bounded() -> None:
    clock = iter(range(0, 86_400 * (MAX_UNSAVED + 10), 86_400))
    tally = Tally(clock=lambda: float(next(clock)))
    dead = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    usage = DailyUsage(dead, tally)
    with capture_logs() as logs:
        tally.happened("refusals", "gate")
        await usage.save()
        for _ in range(MAX_UNSAVED + 5):
            tally.happened("refusals", "gate")
        await usage.close()
    assert [entry["event"] for entry in logs] == ["usage_not_saved"]
    assert len(tally.take_unsaved()) == MAX_UNSAVED
    await dead.close()


async def test_days_of_more_than_a_year_ago_are_forgotten(db: DBService, database_url: str) -> None:
    with statements(database_url) as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date - date '1970-01-01'")
        ((today,),) = cursor.fetchall()
    for days in (0, KEPT_DAYS, KEPT_DAYS + 1):
        await db.save_usage(uuid4(), 1, {(today - days, "refusals", "gate"): 1}, {(today - days, "answer", 3): 1})
    await db.forget_old_usage()
    assert counters(database_url) == {"refusals gate": 2}
    assert await db.list_stage_latency(KEPT_DAYS + 10) == {"answer": {3: 2}}


CALL = """
INSERT INTO claude_calls (day, expires_at, feature, model, prompt_version, shares, reserved_microusd, outcome)
SELECT (now() AT TIME ZONE 'UTC')::date - %(days)s, now(), 'answer', 'm', 'v', '{}', 1, %(outcome)s
FROM generate_series(1, %(calls)s)"""


async def test_old_calls_to_claude_are_forgotten_in_portions(db: DBService, database_url: str) -> None:
    with statements(database_url) as cursor:
        for days, outcome, calls in [
            (0, "complete", 2),
            (KEPT_DAYS, "complete", 3),
            (KEPT_DAYS + 1, "complete", 5_500),
            (KEPT_DAYS + 2, "lost", 1),
            (KEPT_DAYS + 2, "reserved", 1),
        ]:
            cursor.execute(CALL, {"days": days, "outcome": outcome, "calls": calls})
        left: list[int] = []
        for _ in range(3):
            await db.forget_old_usage()
            cursor.execute("SELECT count(*) FROM claude_calls")
            left += [count for (count,) in cursor.fetchall()]
    assert left == [507, 6, 6]


async def test_a_call_that_a_batch_still_names_is_kept(db: DBService, database_url: str) -> None:
    with statements(database_url) as cursor:
        cursor.execute(CALL, {"days": KEPT_DAYS + 5, "outcome": "complete", "calls": 2})
        cursor.execute("INSERT INTO claude_batches (token) VALUES ('t')")
        cursor.execute(
            "INSERT INTO claude_batch_lines (batch_id, number, call_id, section_key, kind, variant, chapter_id)"
            " SELECT 1, 0, min(id), 'k', 'translation', 'ur', 'intro' FROM claude_calls"
        )
        await db.forget_old_usage()
        cursor.execute("SELECT count(*) FROM claude_calls")
        assert cursor.fetchone() == (1,)
