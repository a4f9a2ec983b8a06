"""An answer as a response: whole, or sent while it is written.

Knows the time: what fails within the first moments is an ordinary response with its real status; afterwards the
stream has begun, and says itself what went wrong. Knows connections: a reader who leaves ends the answering.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from backend.app.dependencies import Answers, OptionalReader
from backend.app.errors import AppError
from backend.app.limited import QuestionAllowance
from backend.app.models.chat import AnswerOut
from backend.app.models.domain import Reader
from backend.app.routers.ui_message_stream import HEADERS, KEEP_ALIVE, MEDIA_TYPE, UIMessageStream
from backend.app.services.answer_events import AnswerEvent
from backend.app.services.answer_service import AnswerService, Asked
from backend.app.services.rate_limiter import Allowance

FIRST_STEP_S = 0.15  # the stores answer in a few milliseconds; a reader should see something after 200
KEEP_ALIVE_S = 10.0  # some proxies close a connection that is silent for 15 s
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
_Next = asyncio.Task[AnswerEvent | None]


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


def prefers_stream(accept: list[str]) -> bool:
    """Whether the event stream is named and ranks before JSON, by quality, then by place (RFC 9110, 12.5.1)."""
    ranked: dict[str, float] = {}
    for item in ",".join(accept).split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        ranked.setdefault(name, float(quality) if quality.replace(".", "", 1).isdecimal() else 0)
    streamed, plain = ranked.get(MEDIA_TYPE, 0), ranked.get("application/json", 0)
    names = list(ranked)
    return streamed > plain or (streamed == plain > 0 and names.index(MEDIA_TYPE) < names.index("application/json"))


async def stream_answer(
    request: Request,
    events: Events,
    *,
    on_failure: Callable[[], Awaitable[None]],
    keep_alive_s: float = KEEP_ALIVE_S,
) -> StreamingResponse:
    """The response, as soon as the first event is there or it takes too long to wait for. Raises what fails until
    then; `on_failure` is for what fails later. `request.state.outcome` tells the log how the stream ended."""
    told = _Pausing(events, keep_alive_s)
    if failure := await told.begin():
        raise failure
    return _Streamed(_frames(request, told, on_failure), told)


class _Streamed(StreamingResponse):
    """However the response ends, or if it never begins because the reader has left already: so does the answering."""

    def __init__(self, frames: AsyncGenerator[bytes], told: "_Pausing") -> None:
        super().__init__(frames, headers=HEADERS, media_type=MEDIA_TYPE)
        self._closing = (told, frames)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told, frames = self._closing
        async with aclosing(told), aclosing(frames):
            await super().__call__(scope, receive, send)


async def _frames(
    request: Request, told: "_Pausing", on_failure: Callable[[], Awaitable[None]]
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


class _Pausing:
    """The events; None whenever nothing has come for `pause_s`."""

    def __init__(self, events: Events, pause_s: float) -> None:
        self._events, self._pause_s = events, pause_s
        self._following: _Next | None = None

    async def begin(self) -> BaseException | None:
        """Wait a moment for the first event; the failure when there is one instead."""
        self._following = _next_of(self._events)
        await asyncio.wait([self._following], timeout=FIRST_STEP_S)
        return self._following.exception() if self._following.done() else None

    def __aiter__(self) -> "_Pausing":
        return self

    async def __anext__(self) -> AnswerEvent | None:
        following = self._following = self._following or _next_of(self._events)
        await asyncio.wait([following], timeout=self._pause_s)
        if not following.done():
            return None
        self._following = None
        event = following.result()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """End the answering."""
        if self._following:
            self._following.cancel()  # which closes the events too
            await asyncio.gather(self._following, return_exceptions=True)
        await self._events.aclose()


def _next_of(events: Events) -> _Next:
    async def following() -> AnswerEvent | None:
        return await anext(events, None)

    return asyncio.create_task(following())
