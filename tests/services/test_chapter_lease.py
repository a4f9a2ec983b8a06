"""One owner at a time; who waits hears of a failure; who comes later begins again."""

import asyncio

import pytest

from backend.app.errors import AIServiceBusy, AppError
from backend.app.services.chapter_lease import ChapterLease, GivenUp, LeaseLost
from backend.app.services.db_service import DBService
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio


def code_of(failure: Exception) -> str | None:
    return failure.code if isinstance(failure, AppError) else None


async def fail() -> None:
    raise AIServiceBusy


async def test_one_of_many_gets_a_lease_that_has_run_out(db: DBService, database_url: str) -> None:
    await ChapterLease(db, "k").take()
    with statements(database_url) as cursor:
        cursor.execute("UPDATE chapter_leases SET expires_at = clock_timestamp() - interval '1 s'")
    takers = [asyncio.create_task(ChapterLease(db, "k").take()) for _ in range(20)]
    done, waiting = await asyncio.wait(takers, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [False]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_those_who_wait_go_on_when_the_work_is_done(db: DBService) -> None:
    first, second = ChapterLease(db, "k"), ChapterLease(db, "k")
    assert not await first.take()
    waiting = asyncio.create_task(second.take())
    assert await first.work(lambda: asyncio.sleep(0.3, "done"), code_of) == "done"
    assert await waiting


async def test_a_failure_is_told_to_those_who_wait_and_to_nobody_else(db: DBService) -> None:
    first = ChapterLease(db, "k")
    await first.take()
    waiting = [asyncio.create_task(ChapterLease(db, "k").take()) for _ in range(3)]
    await asyncio.sleep(0.3)
    with pytest.raises(AIServiceBusy):
        await first.work(fail, code_of)
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert [failure.code for failure in failures if isinstance(failure, GivenUp)] == ["ai_service_busy"] * 3
    assert not await ChapterLease(db, "k").take()


async def test_a_failure_of_ones_own_leaves_the_lease_free(db: DBService) -> None:
    first = ChapterLease(db, "k")
    await first.take()
    with pytest.raises(AIServiceBusy):
        await first.work(fail, lambda _: None)
    assert await db.look_at_lease("k") is None


async def test_a_lease_is_renewed_as_long_as_the_work_takes(db: DBService) -> None:
    lease = ChapterLease(db, "k", lease_s=0.6)
    await lease.take()
    working = asyncio.create_task(lease.work(lambda: asyncio.sleep(2), code_of))
    while not working.done():
        await asyncio.sleep(0.2)
        assert working.done() or await db.look_at_lease("k")
    assert await db.look_at_lease("k") is None


async def test_work_whose_lease_is_somebody_elses_is_stopped_and_theirs_stays(
    db: DBService, database_url: str
) -> None:
    lease, other = ChapterLease(db, "k", lease_s=0.3), ChapterLease(db, "k")
    await lease.take()
    with statements(database_url) as cursor:
        cursor.execute("DELETE FROM chapter_leases")
    await other.take()
    with pytest.raises(LeaseLost):
        await lease.work(asyncio.Event().wait, code_of)
    assert await db.look_at_lease("k")


async def test_work_that_is_cancelled_frees_its_lease(db: DBService) -> None:
    lease = ChapterLease(db, "k")
    await lease.take()
    working = asyncio.create_task(lease.work(asyncio.Event().wait, code_of))
    await asyncio.sleep(0.1)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await db.look_at_lease("k") is None
