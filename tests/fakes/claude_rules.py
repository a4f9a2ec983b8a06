"""What the Messages API refuses, and with which status: the rules of version 2026-10-21, as a pure function.

Source: the public API reference (messages, citations, search results, adaptive thinking, errors). Knows
nothing of sockets or of scripted replies.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
MAX_OUTPUT_TOKENS = 128_000
MAX_BODY_BYTES = 32 * 1024 * 1024
EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True)
class Refused(Exception):
    """An error reply: HTTP status, the API's error type, one sentence."""

    status: int
    error_type: str
    message: str


def invalid(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises Refused for a missing key, version or content type. Header names are lower case."""
    check_key(headers)
    if not headers.get("content-type", "").startswith("application/json"):
        raise invalid("Content-Type must be application/json")


def check_key(headers: Mapping[str, str]) -> None:
    """Raises Refused for a missing key or version: all that a request without a body can miss."""
    bearer = headers.get("authorization", "")
    key = bearer[7:] if bearer.lower().startswith("bearer ") else headers.get("x-api-key", "")
    if not key.strip():
        raise Refused(401, "authentication_error", "x-api-key header is required")
    if not headers.get("anthropic-version"):
        raise invalid("anthropic-version: header is required")


def check_request(body: object, *, counting: bool = False) -> None:
    """Raises Refused when the API would not take this body. `counting` = /v1/messages/count_tokens."""
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary")
    _check_fields(body, counting=counting)
    _check_thinking(body)
    _check_roles(body["messages"])
    _check_content(body)


def _check_fields(body: dict[str, Any], *, counting: bool) -> None:
    required = ("model", "messages") if counting else ("model", "messages", "max_tokens")
    for name in required:
        if name not in body:
            raise invalid(f"{name}: Field required")
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise invalid(f"{name}: sampling parameters are not supported in this API version.")
    if body["model"] not in MODELS:
        raise Refused(404, "not_found_error", f"model: {body['model']}")
    if not counting and not _is_count(body["max_tokens"]):
        raise invalid(f"max_tokens: must be an integer between 0 and {MAX_OUTPUT_TOKENS}")
    if not isinstance(body["messages"], list) or not body["messages"]:
        raise invalid("messages: at least one message is required")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_OUTPUT_TOKENS


def _check_thinking(body: dict[str, Any]) -> None:
    model, config = body["model"], body.get("output_config") or {}
    mode = (body.get("thinking") or {}).get("type", "adaptive")
    effort = config.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise invalid(f"output_config.effort: must be one of {', '.join(EFFORTS)}")
    if mode == "enabled":
        raise invalid('"thinking.type.enabled" is not supported for this model. Use "adaptive".')
    off = {"claude-haiku-5-5": "disabled", "claude-sonnet-5-5": "between_tools"}.get(model)
    if mode not in ("adaptive", off):
        raise invalid(f'"thinking.type.{mode}" is not supported for this model.')
    if mode == off and effort in ("xhigh", "max"):
        raise invalid(f'"thinking.type.{mode}" is not supported at effort "{effort}".')
    forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
    if forced and model != "claude-haiku-5-5":
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')


def _check_roles(messages: list[Any]) -> None:
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise invalid(f'messages.{index}.role: must be "user" or "assistant"')
        if not message.get("content"):
            raise invalid(f"messages.{index}.content: Field required")
    if messages[-1]["role"] == "assistant":
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_content(body: dict[str, Any]) -> None:
    switches: set[bool] = set()
    for role, block in blocks_of(body):
        kind = block.get("type")
        if kind == "text":
            _check_text(block, "text")
            if role == "user" and block.get("citations"):
                raise invalid("text.citations: not allowed in a user message")
        elif kind == "search_result":
            _check_search_result(role, block)
            switches.add(bool((block.get("citations") or {}).get("enabled")))
        elif kind == "document":
            if role == "assistant":
                raise invalid("document: not allowed in an assistant message")
            switches.add(bool((block.get("citations") or {}).get("enabled")))
        elif kind not in ("image", "tool_use", "tool_result", "thinking"):
            raise invalid(f"messages: unknown content block type {kind!r}")
    if len(switches) > 1:
        raise invalid("citations.enabled: must be the same for all documents and search results of a request")
    if True in switches and (body.get("output_config") or {}).get("format"):
        raise invalid("output_config.format: cannot be combined with citations")


def _check_search_result(role: str, block: dict[str, Any]) -> None:
    if role != "user":
        raise invalid("search_result: only allowed in user messages")
    for name in ("source", "title"):
        if not isinstance(block.get(name), str) or not block[name]:
            raise invalid(f"search_result.{name}: Field required")
    content = block.get("content")
    if not isinstance(content, list) or not content:
        raise invalid("search_result.content: at least one text block is required")
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise invalid("search_result.content: only text blocks are allowed")
        if part.get("citations"):
            raise invalid("search_result.content.text.citations: not allowed")
        _check_text(part, "search_result.content.text")


def _check_text(block: dict[str, Any], where: str) -> None:
    if not isinstance(block.get("text"), str) or not block["text"].strip():
        raise invalid(f"{where}: text content blocks must contain non-whitespace text")


def blocks_of(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(role, content block) of every message, a plain string counting as one text block."""
    for message in body["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in parts:
            if not isinstance(block, dict):
                raise invalid("messages.content: blocks must be objects")
            yield message["role"], block


def search_results(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [block for _, block in blocks_of(body) if block.get("type") == "search_result"]
