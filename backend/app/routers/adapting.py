"""A translated or personalized chapter as a response: whole, or its sections as they are finished.

What is known before a model is asked (a limit, the day's money, no key) is an ordinary response with its real status.
A reader who leaves stops nothing: the chapter is made for whoever comes next.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import Depends, Request
from starlette.responses import StreamingResponse

from backend.app.dependencies import Adaptations, CurrentReader, Limiter, ReaderProgress
from backend.app.errors import AppError, Quota, RateLimited, Unavailable
from backend.app.models.adaptation import AdaptationKind, AdaptedChapter, Order, SectionReady
from backend.app.models.adapted_chapter import AdaptedOut
from backend.app.models.domain import Reader
from backend.app.problems import app_error_response, internal_error_response
from backend.app.routers.event_stream import (
    HEADERS,
    KEEP_ALIVE,
    MEDIA_TYPE,
    EventStream,
    Pausing,
    frame,
    prefers_stream,
)
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.progress_service import ProgressService
from backend.app.services.rate_limiter import Allowance, RateLimiter, ReaderLimit

FIRST_S = 3.0
"""By then it is decided who pays for a chapter, unless a store is slow: two queries, the plan and the lease."""
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The chapter. With `Accept: text/event-stream` each finished section is a frame of the `type`"
        " `section`; the last one is a `chapter` with the fields of the plain call, or an `error` with those of a"
        " Problem.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
_LIMITS: dict[AdaptationKind, ReaderLimit] = {
    "translation": "translations",
    "personalization": "personalizations",
}
_HEADERS = HEADERS | {"Cache-Control": "no-store, no-transform"}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
Shown = TypeVar("Shown", bound=AdaptedOut)
_Event = SectionReady | AdaptedChapter


@dataclass(frozen=True, slots=True)
class _Left:
    quota: Quota


class Delivery:
    """Brings one reader one chapter in the form that `Accept` asks for."""

    def __init__(
        self,
        request: Request,
        reader: Reader,
        adaptations: AdaptationService,
        progress: ProgressService,
        limiter: RateLimiter,
    ) -> None:
        self._request, self._reader, self._limiter = request, reader, limiter
        self._adaptations, self._progress = adaptations, progress
        self._decided = asyncio.Event()

    async def bring(self, order: Order, show: Callable[[AdaptedChapter], Shown]) -> Shown | StreamingResponse:
        """JSON, unless the event stream is asked for and not less than JSON."""
        if prefers_stream(self._request.headers.getlist("accept")):
            return await self._stream(order, show)
        chapter = await self._adaptations.adapt(order, self._reader, lambda: self._admit(order))
        await self._tell_what_is_left(order)
        await self._note(order)
        return show(chapter)

    async def _stream(self, order: Order, show: Callable[[AdaptedChapter], AdaptedOut]) -> StreamingResponse:
        told = Pausing[_Event](self._adaptations.stream(order, self._reader, lambda: self._admit(order)))
        if failure := await told.begin_unless(self._decided, FIRST_S):
            raise failure
        await self._tell_what_is_left(order)
        return EventStream(self._frames(order, told, show), told, _HEADERS)

    async def _frames(
        self, order: Order, told: Pausing[_Event], show: Callable[[AdaptedChapter], AdaptedOut]
    ) -> AsyncGenerator[bytes]:
        try:
            async for event in told:
                if isinstance(event, AdaptedChapter):
                    await self._note(order)
                    yield frame({"type": "chapter"} | show(event).model_dump(mode="json"))
                else:
                    yield frame({"type": "section"} | asdict(event)) if event else KEEP_ALIVE
            self._request.state.outcome = "adapted"
        except Exception as failure:
            self._request.state.outcome = "failed"
            yield frame(_problem(self._request.url.path, failure))

    async def _admit(self, order: Order) -> Allowance:
        """Counts the chapter and tells so in the response's headers; so it does when it refuses."""
        try:
            counted = await self._limiter.admit_reader(_LIMITS[order.target.kind], self._reader)
        except RateLimited as refused:
            self._request.state.counted = refused
            raise
        self._request.state.counted = counted
        self._decided.set()
        return counted

    async def _tell_what_is_left(self, order: Order) -> None:
        """For the headers, where nothing was counted. What cannot be known is not told."""
        if getattr(self._request.state, "counted", None) is None:
            try:
                quota = await self._limiter.quota(_LIMITS[order.target.kind], self._reader)
            except Unavailable:
                return
            self._request.state.counted = _Left(quota)

    async def _note(self, order: Order) -> None:
        if not order.is_own_text:
            await self._progress.note_opened(self._reader, order.chapter.chapter_id)


def _problem(path: str, failure: Exception) -> dict[str, Any]:
    """What the plain call answers, as a frame."""
    if isinstance(failure, AppError):
        log.warning("stream_failed", code=failure.code)
        response = app_error_response(path, failure)
    else:
        log.error("stream_failed", exc_info=failure)
        response = internal_error_response(path)
    retry_after = {"retry_after_s": int(value)} if (value := response.headers.get("retry-after")) else {}
    return json.loads(bytes(response.body)) | retry_after | {"type": "error"}


async def _delivery(
    request: Request, reader: CurrentReader, adaptations: Adaptations, progress: ReaderProgress, limiter: Limiter
) -> Delivery:
    return Delivery(request, reader, adaptations, progress, limiter)


Deliver = Annotated[Delivery, Depends(_delivery, scope="function")]
