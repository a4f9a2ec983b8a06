"""What services tell of their work: how long a step took, what happened, what a call to Claude used.

Knows the names and nothing of who listens. Telling costs two to four microseconds and never fails, so it needs no
thought where a reader waits. Nothing that is told says who asked.
"""

from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import Literal, Protocol, Self

from backend.app.services.claude_reply import Usage

Stage = Literal[
    "understand",
    "embed",
    "search",
    "claude_rewrite",
    "first_token",
    "claude_answer",
    "check",
    "save",
    "answer",
    "claude_translate",
    "claude_personalize",
    "section",
    "chapter",
]
"""In the order of a reader's waiting. `first_token`: from the request to the first words of a streamed reply;
`claude_...`: a whole call of that feature with its retries; `answer` is a whole question, `section` a piece of a
chapter that was adapted, with its second try, `chapter` the whole of it."""

Event = Literal["answers", "refusals", "rate_limited", "budget_refusals", "chapter_cache", "section_cache"]
LABELS: Mapping[Event, tuple[str, ...]] = {
    "answers": ("mode", "outcome"),
    "refusals": ("reason",),
    "rate_limited": ("limit",),
    "budget_refusals": ("feature", "why"),
    "chapter_cache": ("kind", "result"),
    "section_cache": ("kind", "result"),
}
"""What tells the kinds of an event apart. Each label has a handful of values, never a reader's words. `kind`:
translation or personalization; `result`: hit or miss."""


class Telemetry(Protocol):
    """Who is told. Call it on the event loop."""

    def took(self, stage: Stage, seconds: float) -> None:
        """A step came to its end; one that failed is not told."""
        ...

    def happened(self, event: Event, *labels: str, times: int = 1) -> None:
        """`labels` in the order of LABELS, without "/"."""
        ...

    def spent(self, feature: str, model: str, usage: Usage, cost_microusd: int) -> None:
        """A call that the ledger has settled."""
        ...


class Unheard:
    """Nobody listens: for the command line's measurements, and for tests."""

    def took(self, stage: Stage, seconds: float) -> None: ...
    def happened(self, event: Event, *labels: str, times: int = 1) -> None: ...
    def spent(self, feature: str, model: str, usage: Usage, cost_microusd: int) -> None: ...


class timed:  # noqa: N801  # read as a word: `with timed(telemetry, "search"):`
    """Tells how long the block took, unless it raised."""

    __slots__ = ("_stage", "_started", "_telemetry")

    def __init__(self, telemetry: Telemetry, stage: Stage) -> None:
        self._telemetry = telemetry
        self._stage: Stage = stage
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self._telemetry.took(self._stage, perf_counter() - self._started)
