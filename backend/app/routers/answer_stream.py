"""An answer as a response: whole, or sent while it is written.

What fails within the first moments is an ordinary response with its real status; afterwards the stream has begun, and
says itself what went wrong. A reader who leaves ends the answering.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from starlette.responses import StreamingResponse

from backend.app.dependencies import Answers, OptionalReader
from backend.app.errors import AppError
from backend.app.limited import QuestionAllowance
from backend.app.models.chat import AnswerOut
from backend.app.models.domain import Reader
from backend.app.routers.event_stream import (
    KEEP_ALIVE,
    KEEP_ALIVE_S,
    MEDIA_TYPE,
    EventStream,
    Pausing,
    prefers_stream,
)
from backend.app.routers.ui_message_stream import HEADERS, UIMessageStream
from backend.app.services.answer_events import AnswerEvent
from backend.app.services.answer_service import AnswerService, Asked
from backend.app.services.rate_limiter import Allowance

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `Accept: text/event-stream` it is sent while it is written, as frames of "
        "the AI SDK's UI message stream. The last one before `finish`, `data-answer`, holds the whole answer as "
        "the JSON of the plain call.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
Events = AsyncGenerator[AnswerEvent]


class Responder:
    """Answers one request in the form that its `Accept` asks for."""

    def __init__(self, request: Request, answers: AnswerService, reader: Reader | None, allowance: Allowance) -> None:
        self._request, self._answers, self._reader, self._allowance = request, answers, reader, allowance

    async def answer(self, asked: Asked) -> AnswerOut | StreamingResponse:
        """JSON, unless the event stream is asked for and not less than JSON."""
        if prefers_stream(self._request.headers.getlist("accept")):
            return await self.stream(asked)
        return AnswerOut.of(await self._answers.ask(asked, self._reader))

    async def stream(self, asked: Asked) -> StreamingResponse:
        """Raises what the stores raise when they fail within the first moments."""
        events = self._answers.stream(asked, self._reader)
        return await stream_answer(self._request, events, on_failure=self._allowance.refund)


async def _responder(
    request: Request, answers: Answers, reader: OptionalReader, allowance: QuestionAllowance
) -> Responder:
    return Responder(request, answers, reader, allowance)


Respond = Annotated[Responder, Depends(_responder, scope="function")]
"""What answers a question; the question is counted, and given back when we cannot answer it."""


async def stream_answer(
    request: Request,
    events: Events,
    *,
    on_failure: Callable[[], Awaitable[None]],
    keep_alive_s: float = KEEP_ALIVE_S,
) -> StreamingResponse:
    """The response, as soon as the first event is there or it takes too long to wait for. Raises what fails until
    then; `on_failure` is for what fails later. `request.state.outcome` tells the log how the stream ended."""
    told = Pausing(events, keep_alive_s)
    if failure := await told.begin():
        raise failure
    return EventStream(_frames(request, told, on_failure), told, HEADERS)


async def _frames(
    request: Request, told: Pausing[AnswerEvent], on_failure: Callable[[], Awaitable[None]]
) -> AsyncGenerator[bytes]:
    stream = UIMessageStream()
    yield stream.begin()
    try:
        async for event in told:
            yield b"".join(stream.frames(event)) if event else KEEP_ALIVE
        request.state.outcome = "answered"
    except Exception as failure:
        request.state.outcome = "failed"
        await on_failure()
        yield b"".join(stream.fail(_readable(failure)))
    yield stream.end()


def _readable(failure: Exception) -> str:
    if isinstance(failure, AppError):
        log.warning("stream_failed", code=failure.code)
        return failure.detail
    log.error("stream_failed", exc_info=failure)
    return AppError.default_detail
