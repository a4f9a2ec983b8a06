"""Threads that say how busy they are."""

import threading
from collections.abc import Iterator

import pytest

from backend.app.utils.threads import ThreadUse, WatchedThreads


@pytest.fixture
def two() -> Iterator[WatchedThreads]:
    with WatchedThreads(2, "watched") as threads:
        yield threads


def test_at_rest_nothing_is_busy(two: WatchedThreads) -> None:
    assert two.use == ThreadUse(2, 0, 0)


def test_what_runs_and_what_waits_is_seen(two: WatchedThreads) -> None:
    begun, end = threading.Semaphore(0), threading.Event()

    def work() -> None:
        begun.release()
        end.wait(30)

    jobs = [two.submit(work) for _ in range(5)]
    assert begun.acquire(timeout=30)
    assert begun.acquire(timeout=30)
    assert two.use == ThreadUse(2, 2, 3)
    assert jobs[-1].cancel()
    assert two.use == ThreadUse(2, 2, 2)
    end.set()
    for job in jobs[:-1]:
        job.result(30)
    assert two.use == ThreadUse(2, 0, 0)


def test_work_that_fails_is_over(two: WatchedThreads) -> None:
    job = two.submit(int, "no number")
    with pytest.raises(ValueError):
        job.result(30)
    assert two.use == ThreadUse(2, 0, 0)
