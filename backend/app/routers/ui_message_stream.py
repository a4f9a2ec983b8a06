"""The events of an answer as server-sent events: the UI message stream of the AI SDK, version 1. Pure.

Each frame is one line `data: <JSON>` and an empty line; a reader needs to know nothing but its `type`. Source: the
protocol's page at ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Its readers refuse fields that they do not know.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from backend.app.models.chat import AnswerOut
from backend.app.models.domain import Answer
from backend.app.services.answer_events import AnswerEvent, BookSearched, SourceCited, TextVerified

MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",  # no-transform: a proxy that compresses would collect frames first
    "X-Accel-Buffering": "no",  # the same for nginx, which also buffers
    "x-vercel-ai-ui-message-stream": "v1",
}
KEEP_ALIVE = b": keep-alive\n\n"
_TEXT_ID = "answer"
# Line ends to some readers, and JSON may hold them as they are
_HIDDEN_LINE_ENDS = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "\u0085\u2028\u2029"})


class UIMessageStream:
    """One answer: `begin`, the events in order, then `end`."""

    def __init__(self) -> None:
        self._sources = 0
        self._text_is_open = False

    def begin(self) -> bytes:
        """Before anything is known."""
        return _frame({"type": "start", "messageId": uuid4().hex}) + _status("searching")

    def frames(self, event: AnswerEvent) -> Iterator[bytes]:
        """What one event tells the reader."""
        match event:
            case BookSearched():
                yield _status("answering")
            case SourceCited(source):
                self._sources += 1
                yield _frame(
                    {
                        "type": "source-url",
                        "sourceId": str(self._sources),
                        "url": source.url,
                        "title": f"{source.title} > {source.section}",
                    }
                )
            case TextVerified(text):
                if not self._text_is_open:
                    yield _frame({"type": "text-start", "id": _TEXT_ID})
                self._text_is_open = True
                yield _frame({"type": "text-delta", "id": _TEXT_ID, "delta": text})
            case Answer():
                yield from self._close_text()
                yield _frame({"type": "data-answer", "data": AnswerOut.of(event).model_dump(mode="json")})

    def fail(self, detail: str) -> Iterator[bytes]:
        """Instead of the last event: what was told is no answer. `detail` is readable."""
        yield from self._close_text()
        yield _frame({"type": "error", "errorText": detail})

    def end(self) -> bytes:
        """The last frames of every stream."""
        return _frame({"type": "finish"}) + b"data: [DONE]\n\n"

    def _close_text(self) -> Iterator[bytes]:
        if self._text_is_open:
            self._text_is_open = False
            yield _frame({"type": "text-end", "id": _TEXT_ID})


def _status(status: str) -> bytes:
    return _frame({"type": "data-status", "data": {"status": status}, "transient": True})


def _frame(fields: Mapping[str, Any]) -> bytes:
    line = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).translate(_HIDDEN_LINE_ENDS)
    return f"data: {line}\n\n".encode()
