"""What the Messages API sent back, as plain dataclasses.

Reads the reply's JSON by hand instead of trusting a client library's lenient models: those turn an empty
object into a message without content and a page of HTML into a string. Knows the wire format; knows
nothing about books, passages or whether a citation is true.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

MAX_TEXT_CHARS = 20_000
"""Several times what `max_tokens` allows; more is not an answer but a broken upstream."""
MAX_CITATIONS = 500
"""The same for citations: each one is looked up, and nothing else may run meanwhile."""

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_LEAKED_TAG = re.compile(r"</?cite\b[^>]*(?:>|\Z)", re.IGNORECASE)


class MalformedReply(Exception):
    """A 200 whose body is not a message. The text names the defect and holds nothing of the body."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A claim by the model, not yet a fact. `start` and `end` count content blocks of the cited
    search result, end exclusive; -1 and "" stand for what was missing."""

    source: str
    cited_text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TextBlock:
    text: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Billed tokens. `output_tokens` includes `thinking_tokens`; a figure that was not sent is 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    thinking_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class ClaudeReply:
    """One finished call. `blocks` are the text blocks in order, without leaked markup;
    `leaked_tags` counts the `<cite>` tags that were removed."""

    blocks: tuple[TextBlock, ...]
    stop_reason: str
    model: str
    usage: Usage
    request_id: str | None
    latency_ms: int
    leaked_tags: int

    @property
    def text(self) -> str:
        return "".join(block.text for block in self.blocks)


def read_reply(payload: object, *, request_id: str | None, latency_ms: int) -> ClaudeReply:
    """Select the text blocks by type; ignore thinking and types that do not exist yet.

    Raises MalformedReply when `payload` is no message: not an object, no content, no stop reason, too much.
    """
    message = as_object(payload)
    content, stop_reason = message.get("content"), message.get("stop_reason")
    if not isinstance(content, list):
        raise MalformedReply("no content")
    if not isinstance(stop_reason, str):
        raise MalformedReply("no stop reason")
    parts = [as_object(block) for block in cast("list[object]", content)]
    texts = [part for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    if sum(len(part["text"]) for part in texts) > MAX_TEXT_CHARS:
        raise MalformedReply("text too long")
    words = [clean_text(part["text"]) for part in texts]
    blocks = tuple(TextBlock(said, _citations(part)) for part, (said, _) in zip(texts, words, strict=True))
    if sum(len(block.citations) for block in blocks) > MAX_CITATIONS:
        raise MalformedReply("too many citations")
    return ClaudeReply(
        blocks=blocks,
        stop_reason=stop_reason,
        model=str(message.get("model", "")),
        usage=read_usage(as_object(message.get("usage"))),
        request_id=request_id,
        latency_ms=latency_ms,
        leaked_tags=sum(tags for _, tags in words),
    )


def as_object(value: object) -> Mapping[str, Any]:
    """A JSON object; empty for anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def clean_text(text: str) -> tuple[str, int]:
    """The text of a block without `<cite>` tags, which are the API's own markup, and how many there were. Halves of a
    character (JSON can hold them) are joined; one that stays alone, which no response could carry, is replaced, and
    so is NUL, which no history could hold."""
    if _HALF_CHARACTER.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _LEAKED_TAG.subn("", text.replace("\0", "\ufffd"))


def _citations(part: Mapping[str, Any]) -> tuple[Citation, ...]:
    return tuple(read_citation(as_object(item)) for item in as_list(part.get("citations")))


def as_list(value: object) -> list[object]:
    """A JSON array; empty for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def read_citation(item: Mapping[str, Any]) -> Citation:
    """An item of another type keeps its place as a citation that cannot be true: the block claims support."""
    source, quoted = item.get("source"), item.get("cited_text")
    start, end = item.get("start_block_index"), item.get("end_block_index")
    return Citation(
        source=source if isinstance(source, str) else "",
        cited_text=quoted if isinstance(quoted, str) else "",
        start=start if isinstance(start, int) else -1,
        end=end if isinstance(end, int) else -1,
    )


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """What makes no sense counts as 0."""
    details = as_object(usage.get("output_tokens_details"))
    return Usage(
        input_tokens=_count(usage.get("input_tokens")),
        output_tokens=_count(usage.get("output_tokens")),
        cache_read_tokens=_count(usage.get("cache_read_input_tokens")),
        cache_write_tokens=_count(usage.get("cache_creation_input_tokens")),
        thinking_tokens=_count(details.get("thinking_tokens")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
