"""A reply that is still being written: the API's events in, pieces as soon as they are sure, the whole in the end.

Reads the events' JSON by hand, for the reason `claude_reply` gives. Thinking, pings and kinds of events that are not
known yet pass unnoticed. Pure: knows neither sockets nor clocks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.app.services.claude_reply import (
    MAX_CITATIONS,
    MAX_TEXT_CHARS,
    Citation,
    ClaudeReply,
    MalformedReply,
    TextBlock,
    Usage,
    as_list,
    as_object,
    clean_text,
    read_citation,
    read_usage,
)

_UNSURE = re.compile("<(?:/?(?:c(?:i(?:t(?:e(?:\\b[^>]*)?)?)?)?)?)?\\Z|[\ud800-\udbff]\\Z", re.IGNORECASE)


class StreamFailed(Exception):
    """The API reported an error after the stream had begun; `type` is its name for it."""

    def __init__(self, kind: str) -> None:
        self.type = kind[:60]
        super().__init__(self.type)


@dataclass(frozen=True, slots=True)
class TextPiece:
    """The next words of the open block, without leaked markup."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockEnd:
    """The open block has all its words and citations."""


ReplyPart = TextPiece | Citation | BlockEnd
"""A citation belongs to the open block, wherever in it it comes; a block opens with its first piece."""


class StreamedReply:
    """Feed it events in order; `finish` is the reply that a plain call would have brought."""

    def __init__(self) -> None:
        self.request_id: str | None = None
        self._blocks: list[TextBlock] = []
        self._open: _OpenBlock | None = None
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._model = ""
        self._chars = self._citations = self._leaked_tags = 0

    def read(self, event: Mapping[str, Any]) -> Iterator[ReplyPart]:
        """The parts that this event completes. Raises StreamFailed for an error event, MalformedReply beyond the
        bounds of an answer."""
        match event.get("type"):
            case "message_start":
                message = as_object(event.get("message"))
                self._model = str(message.get("model", ""))
                self._usage |= as_object(message.get("usage"))
            case "content_block_start":
                yield from self._begin(as_object(event.get("content_block")))
            case "content_block_delta" if self._open:
                yield from self._extend(self._open, as_object(event.get("delta")))
            case "content_block_stop":
                yield from self._close()
            case "message_delta":
                self._usage |= {k: v for k, v in as_object(event.get("usage")).items() if v is not None}
                reason = as_object(event.get("delta")).get("stop_reason")
                self._stop_reason = reason if isinstance(reason, str) else self._stop_reason
            case "message_stop":
                yield from self._close()
            case "error":
                raise StreamFailed(str(as_object(event.get("error")).get("type", "error")))
            case _:
                pass

    def finish(self, *, latency_ms: int) -> ClaudeReply:
        """Raises MalformedReply when the stream ended without saying how: it was cut."""
        if self._stop_reason is None:
            raise MalformedReply("cut")
        return ClaudeReply(
            blocks=tuple(self._blocks),
            stop_reason=self._stop_reason,
            model=self._model,
            usage=self.usage,
            request_id=self.request_id,
            latency_ms=latency_ms,
            leaked_tags=self._leaked_tags,
        )

    @property
    def usage(self) -> Usage:
        """What the API has told so far."""
        return read_usage(self._usage)

    @property
    def is_told_whole(self) -> bool:
        """Whether `usage` is final."""
        return self._stop_reason is not None

    def _begin(self, block: Mapping[str, Any]) -> Iterator[ReplyPart]:
        yield from self._close()
        if block.get("type") == "text":
            self._open = _OpenBlock()
            yield from self._extend(self._open, {"type": "text_delta", "text": block.get("text")})
            for item in as_list(block.get("citations")):
                yield from self._extend(self._open, {"type": "citations_delta", "citation": item})

    def _extend(self, block: "_OpenBlock", delta: Mapping[str, Any]) -> Iterator[ReplyPart]:
        if delta.get("type") == "citations_delta":
            self._citations += 1
            if self._citations > MAX_CITATIONS:
                raise MalformedReply("too many citations")
            block.citations.append(read_citation(as_object(delta.get("citation"))))
            yield block.citations[-1]
        words = delta.get("text") if delta.get("type") == "text_delta" else None
        if isinstance(words, str) and words:
            self._chars += len(words)
            if self._chars > MAX_TEXT_CHARS:
                raise MalformedReply("text too long")
            if sure := block.add(words):
                yield TextPiece(sure)

    def _close(self) -> Iterator[ReplyPart]:
        block, self._open = self._open, None
        if block:
            if rest := block.end():
                yield TextPiece(rest)
            self._leaked_tags += block.leaked_tags
            self._blocks.append(TextBlock(block.text, tuple(block.citations)))
            yield BlockEnd()


class _OpenBlock:
    """Words come in arbitrary pieces: what may begin a leaked tag, or is half a character, waits for the next one."""

    def __init__(self) -> None:
        self.citations: list[Citation] = []
        self.leaked_tags = 0
        self._pieces: list[str] = []
        self._held = ""

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, words: str) -> str:
        """The words that are sure now."""
        text = self._held + words
        unsure = _UNSURE.search(text)
        self._held = unsure.group() if unsure else ""
        return self._sure(text[: unsure.start()] if unsure else text)

    def end(self) -> str:
        """The words that waited, now that no tag can follow."""
        held, self._held = self._held, ""
        return self._sure(held)

    def _sure(self, text: str) -> str:
        words, tags = clean_text(text)
        self.leaked_tags += tags
        self._pieces.append(words)
        return words
