"""The events of an answer as server-sent events: the UI message stream of the AI SDK, version 1. Pure.

Source: the protocol's page at ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Its readers refuse fields that they do not
know.
"""

from collections.abc import Iterator
from uuid import uuid4

from backend.app.models.chat import AnswerOut
from backend.app.models.domain import Answer
from backend.app.routers import event_stream
from backend.app.routers.event_stream import frame
from backend.app.services.answer_events import AnswerEvent, BookSearched, SourceCited, TextVerified

HEADERS = event_stream.HEADERS | {"x-vercel-ai-ui-message-stream": "v1"}
_TEXT_ID = "answer"


class UIMessageStream:
    """One answer: `begin`, the events in order, then `end`."""

    def __init__(self) -> None:
        self._sources = 0
        self._text_is_open = False

    def begin(self) -> bytes:
        """Before anything is known."""
        return frame({"type": "start", "messageId": uuid4().hex}) + _status("searching")

    def frames(self, event: AnswerEvent) -> Iterator[bytes]:
        """What one event tells the reader."""
        match event:
            case BookSearched():
                yield _status("answering")
            case SourceCited(source):
                self._sources += 1
                yield frame(
                    {
                        "type": "source-url",
                        "sourceId": str(self._sources),
                        "url": source.url,
                        "title": f"{source.title} > {source.section}",
                    }
                )
            case TextVerified(text):
                if not self._text_is_open:
                    yield frame({"type": "text-start", "id": _TEXT_ID})
                self._text_is_open = True
                yield frame({"type": "text-delta", "id": _TEXT_ID, "delta": text})
            case Answer():
                yield from self._close_text()
                yield frame({"type": "data-answer", "data": AnswerOut.of(event).model_dump(mode="json")})

    def fail(self, detail: str) -> Iterator[bytes]:
        """Instead of the last event: what was told is no answer. `detail` is readable."""
        yield from self._close_text()
        yield frame({"type": "error", "errorText": detail})

    def end(self) -> bytes:
        """The last frames of every stream."""
        return frame({"type": "finish"}) + b"data: [DONE]\n\n"

    def _close_text(self) -> Iterator[bytes]:
        if self._text_is_open:
            self._text_is_open = False
            yield frame({"type": "text-end", "id": _TEXT_ID})


def _status(status: str) -> bytes:
    return frame({"type": "data-status", "data": {"status": status}, "transient": True})
