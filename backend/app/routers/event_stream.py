"""Server-sent events: which responses are streamed, how their frames look, and that they end with their reader.

Each frame is one line `data: <JSON>` and an empty line; a reader needs to know nothing but its `type`. Knows time:
what fails within the first moments can still be an ordinary response. Knows nothing of what is told.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",  # no-transform: a proxy that compresses would collect frames first
    "X-Accel-Buffering": "no",  # the same for nginx, which also buffers
}
KEEP_ALIVE = b": keep-alive\n\n"
KEEP_ALIVE_S = 10.0  # some proxies close a connection that is silent for 15 s
FIRST_STEP_S = 0.15  # the stores answer in a few milliseconds; a reader should see something after 200
# Line ends to some readers, and JSON may hold them as they are
_HIDDEN_LINE_ENDS = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "\u0085\u2028\u2029"})

E = TypeVar("E")


def frame(fields: Mapping[str, Any]) -> bytes:
    """One event."""
    line = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).translate(_HIDDEN_LINE_ENDS)
    return f"data: {line}\n\n".encode()


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


class Pausing(Generic[E]):
    """Events; None whenever nothing has come for `pause_s`."""

    def __init__(self, events: AsyncGenerator[E], pause_s: float = KEEP_ALIVE_S) -> None:
        self._events, self._pause_s = events, pause_s
        self._following: asyncio.Task[E | None] | None = None

    async def begin(self, wait_s: float = FIRST_STEP_S) -> BaseException | None:
        """Wait a moment for the first event; the failure when there is one instead. A second time waits on."""
        following = self._following = self._following or self._next()
        await asyncio.wait([following], timeout=wait_s)
        return following.exception() if following.done() else None

    async def begin_unless(self, decided: asyncio.Event, wait_s: float) -> BaseException | None:
        """The same, for no longer than until something is decided, and the moment after that."""
        following = self._following = self._following or self._next()
        deciding = asyncio.create_task(decided.wait())
        try:
            await asyncio.wait([following, deciding], timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            deciding.cancel()
        return await self.begin()

    def __aiter__(self) -> "Pausing[E]":
        return self

    async def __anext__(self) -> E | None:
        following = self._following = self._following or self._next()
        await asyncio.wait([following], timeout=self._pause_s)
        if not following.done():
            return None
        self._following = None
        event = following.result()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """End what tells the events."""
        if self._following:
            self._following.cancel()  # which closes the events too
            await asyncio.gather(self._following, return_exceptions=True)
        await self._events.aclose()

    def _next(self) -> "asyncio.Task[E | None]":
        async def following() -> E | None:
            return await anext(self._events, None)

        return asyncio.create_task(following())


class EventStream(StreamingResponse):
    """However the response ends, or if it never begins because the reader has left already: so do its events."""

    def __init__(
        self, frames: AsyncGenerator[bytes], told: Pausing[Any], headers: Mapping[str, str] = HEADERS
    ) -> None:
        super().__init__(frames, headers=headers, media_type=MEDIA_TYPE)
        self._closing = (told, frames)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told, frames = self._closing
        async with aclosing(told), aclosing(frames):
            await super().__call__(scope, receive, send)
