"""Reply bodies of the Messages API: a whole message, its server-sent events, an error. Pure functions."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.fakes.claude_rules import search_results

SENTINEL = "I don't have this information in the book."
THINKING = {"type": "thinking", "thinking": "", "signature": "EqQBCgIYAhIkFakeSignatureOfAThinkingBlock"}
_ids = itertools.count(1)


def text(words: str, *citations: Mapping[str, Any]) -> dict[str, Any]:
    """A text block; without citations the key is absent, as the API sends it."""
    block: dict[str, Any] = {"type": "text", "text": words}
    return block | {"citations": [dict(citation) for citation in citations]} if citations else block


def citation(body: Mapping[str, Any], index: int = 0, start: int = 0, end: int | None = None) -> dict[str, Any]:
    """A true citation of content blocks [start, end) of the request's search_result number `index`."""
    found = search_results(body)[index]
    stop = start + 1 if end is None else end
    return {
        "type": "search_result_location",
        "cited_text": "".join(part["text"] for part in found["content"][start:stop]),
        "source": found["source"],
        "title": found["title"],
        "search_result_index": index,
        "start_block_index": start,
        "end_block_index": stop,
    }


def question_to_rewrite(body: Mapping[str, Any]) -> str | None:
    """The question of a request for a search question; None for every other request."""
    rules = "".join(part["text"] for part in body.get("system") or [])
    asked = re.search(
        r"<question-(\w+)>\n(.*?)\n</question-\1>", body["messages"][-1]["content"][-1]["text"], re.DOTALL
    )
    return asked[2] if asked and "<query>" in rules else None


def is_adaptation(body: Mapping[str, Any]) -> bool:
    """Whether a piece of a chapter is to be translated or rewritten, in a first or a second try."""
    first = body["messages"][0]["content"]
    return any("<piece>\n" in part["text"] for part in first if isinstance(part, dict) and part.get("type") == "text")


def default_content(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Quotes the first search result; without one, says the refusal sentence."""
    if not search_results(body):
        return [THINKING, text(SENTINEL)]
    cited = citation(body)
    return [THINKING, text("According to the book: "), text(cited["cited_text"].strip(), cited)]


def message(
    body: Mapping[str, Any], content: Sequence[Mapping[str, Any]], stop_reason: str | None = "end_turn"
) -> dict[str, Any]:
    """The 200 body. Token figures are estimates at 2.5 characters a token."""
    said = sum(len(str(block.get("text", ""))) for block in content)
    return {
        "id": f"msg_{next(_ids):024d}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "claude-haiku-5-5"),
        "content": [dict(block) for block in content],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": count_tokens(body),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 20 + int(said / 2.5),
            "output_tokens_details": {"thinking_tokens": 20},
            "service_tier": "standard",
        },
    }


def count_tokens(body: Mapping[str, Any]) -> int:
    asked = {name: body.get(name) for name in ("system", "messages", "tools")}
    return 14 + int(len(json.dumps(asked, ensure_ascii=False)) / 2.5)


def error(status_type: str, words: str, request_id: str, error_code: str | None = None) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": status_type, "message": words}
    if error_code:
        inner["details"] = {"error_code": error_code}
    return {"type": "error", "error": inner, "request_id": request_id}


def events(whole: Mapping[str, Any], *, piece_chars: int = 24, cites_late: bool = False) -> Iterator[bytes]:
    """The same message as a stream of records: text in pieces, the citations of a block before its text or after it
    (both have been seen), and kinds of events that no client knows yet."""
    usage = {"input_tokens": whole["usage"]["input_tokens"], "output_tokens": 1}
    opened = {**whole, "content": [], "stop_reason": None, "usage": usage}
    yield record({"type": "message_start", "message": opened})
    yield record({"type": "ping"})
    yield record({"type": "event_of_the_future", "index": 0})
    for index, block in enumerate(whole["content"]):
        yield from _block_events(index, block, piece_chars, cites_late)
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None, "stop_details": None}
    output = {"output_tokens": whole["usage"]["output_tokens"]}
    yield record({"type": "message_delta", "delta": ending, "usage": output})
    yield record({"type": "message_stop"})


def _block_events(index: int, block: Mapping[str, Any], piece_chars: int, cites_late: bool) -> Iterator[bytes]:
    shape = {"text": {"type": "text", "text": ""}, "thinking": {"type": "thinking", "thinking": "", "signature": ""}}
    begun = shape.get(block["type"], block)
    yield record({"type": "content_block_start", "index": index, "content_block": begun})
    for delta in _deltas(block, piece_chars, cites_late):
        yield record({"type": "content_block_delta", "index": index, "delta": delta})
    yield record({"type": "content_block_stop", "index": index})


def _deltas(block: Mapping[str, Any], piece_chars: int, cites_late: bool) -> Iterator[dict[str, Any]]:
    if block["type"] == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}
    cited = [{"type": "citations_delta", "citation": each} for each in block.get("citations") or []]
    words = str(block.get("text") or "")
    pieces = [words[start : start + piece_chars] for start in range(0, len(words), piece_chars)]
    said = [{"type": "text_delta", "text": piece} for piece in pieces] if block["type"] == "text" else []
    yield from [*said, *cited] if cites_late else [*cited, *said]


def record(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
