"""A few threads that can be asked how busy they are."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ThreadUse:
    """Of so many threads so many are at work, and so many calls wait for one."""

    threads: int
    busy: int
    waiting: int


class WatchedThreads(ThreadPoolExecutor):
    """Counts what it was given and has not done yet."""

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._size = threads
        self._open: set[Future[Any]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = super().submit(fn, *args, **kwargs)
        self._open.add(job)
        job.add_done_callback(self._open.discard)
        return job

    @property
    def use(self) -> ThreadUse:
        """At this moment, as far as one moment can be seen from outside."""
        jobs = list(self._open)
        busy = sum(job.running() for job in jobs)
        return ThreadUse(self._size, busy, sum(not job.running() and not job.done() for job in jobs))
