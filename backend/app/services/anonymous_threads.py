"""The threads of readers who are not signed in: in the memory of this process, and only for a while.

An id is the only key to a thread, so it is made here, of 122 random bits; an id that was not made here names nothing.
A restart forgets every thread, and with several processes each knows its own. Nothing is ever written down.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from backend.app.models.domain import PastTurn

MAX_IDLE_S = 3600.0
MAX_THREADS = 2000
MAX_CHARACTERS = 16_000_000
"""Of all threads together: 16 to 64 MB, whatever readers send. A turn has 2,000 to 4,000."""


@dataclass(frozen=True, slots=True)
class _Thread:
    turns: tuple[PastTurn, ...]
    used_at: float
    characters: int


class AnonymousThreads:
    """Threads by id, each with its last turns; the one unused longest goes first when there are too many."""

    def __init__(
        self,
        *,
        turns_each: int,
        max_threads: int = MAX_THREADS,
        max_characters: int = MAX_CHARACTERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns_each = turns_each
        self._max_threads = max_threads
        self._max_characters = max_characters
        self._clock = clock
        self._threads: OrderedDict[UUID, _Thread] = OrderedDict()  # the one unused longest first
        self._characters = 0

    def find(self, thread_id: UUID) -> tuple[PastTurn, ...]:
        """Its last turns, oldest first; none for an id that names no thread. Counts as use."""
        self._forget_idle()
        thread = self._threads.get(thread_id)
        if thread is None:
            return ()
        self._put(thread_id, thread.turns)
        return thread.turns

    def add(self, thread_id: UUID, turn: PastTurn) -> None:
        """`thread_id` must come from `uuid4` or from a thread that was found, never from a request."""
        self._forget_idle()
        known = self._threads.get(thread_id)
        turns = (*known.turns, turn) if known else (turn,)
        self._put(thread_id, turns[-self._turns_each :])
        while len(self._threads) > self._max_threads or self._characters > self._max_characters:
            self._remove(next(iter(self._threads)))

    def _put(self, thread_id: UUID, turns: tuple[PastTurn, ...]) -> None:
        if thread_id in self._threads:
            self._remove(thread_id)
        thread = _Thread(turns, self._clock(), sum(map(_size, turns)))
        self._threads[thread_id] = thread
        self._characters += thread.characters

    def _remove(self, thread_id: UUID) -> None:
        self._characters -= self._threads.pop(thread_id).characters

    def _forget_idle(self) -> None:
        oldest_allowed = self._clock() - MAX_IDLE_S
        while self._threads and next(iter(self._threads.values())).used_at < oldest_allowed:
            self._remove(next(iter(self._threads)))


def _size(turn: PastTurn) -> int:
    quotes = sum(len(source.quote) + len(source.url) + len(source.section) for source in turn.sources)
    return len(turn.question) + len(turn.answer) + quotes
