"""An answer sent while it is written: real uvicorn, the sample book, a scripted Claude that streams."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.fakes import claude_wire as wire
from tests.fakes.claude import Body, Content, FakeClaude
from tests.fixtures.app import AppFactory

QUESTION = "What is a ROS 2 node?"
STREAM = {"Accept": "text/event-stream"}
REFUSAL = "I don't have this information in the book."
BUSY = "AI service is busy. Please retry in a moment."


@pytest.fixture
def answered(start_app: AppFactory, claude: FakeClaude) -> httpx2.Client:
    return start_app(
        anthropic_api_key=SecretStr("sk-ant-api03-test-key-of-the-tests"),
        anthropic_base_url=claude.base_url,
        site_url="https://book.example",
    )


def frames_of(response: httpx2.Response) -> list[dict[str, Any]]:
    """Read as frontends do: lines that begin with `data: ` and hold one JSON value."""
    lines = [line for line in response.text.split("\n") if line.startswith("data: ")]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def types_of(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames if frame["type"] != "data-status"]


def text_of(frames: list[dict[str, Any]]) -> str:
    return "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")


def ask(
    http: httpx2.Client, path: str = "ask", headers: dict[str, str] | None = None, **body: Any
) -> httpx2.Response:
    return http.post(f"/api/chat/{path}", json={"question": QUESTION} | body, headers=STREAM | (headers or {}))


def two_sentences(body: Body) -> Content:
    first, second = wire.citation(body, 0), wire.citation(body, 1)
    return [
        wire.THINKING,
        wire.text("In short: "),
        wire.text("a node computes", first),
        wire.text(". Then "),
        wire.text("something else follows", second),
        wire.text("."),
    ]


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("response_time", "conversation_id")}


def test_the_stream_tells_the_plain_answer_piece_by_piece(answered: httpx2.Client, claude: FakeClaude) -> None:
    claude.says(two_sentences)
    claude.says(two_sentences)
    response = ask(answered)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    frames = frames_of(response)
    assert types_of(frames) == [
        *("start", "source-url", "text-start", "text-delta"),
        *("source-url", "text-delta", "text-end", "data-answer", "finish"),
    ]
    answer = next(frame["data"] for frame in frames if frame["type"] == "data-answer")
    assert text_of(frames) == answer["answer"]
    cited = [frame for frame in frames if frame["type"] == "source-url"]
    assert [frame["url"] for frame in cited] == [source["url"] for source in answer["sources"]]
    assert [frame["sourceId"] for frame in cited] == ["1", "2"]
    plain = answered.post("/api/chat/ask", json={"question": QUESTION}).json()
    assert without_times(plain) == without_times(answer)
