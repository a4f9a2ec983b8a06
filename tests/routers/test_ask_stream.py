"""An answer sent while it is written: real uvicorn, the sample book, a scripted Claude that streams."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import SecretStr
from structlog.testing import capture_logs

from backend.app.middleware import RequestEnvelope
from backend.app.routers.answer_stream import stream_answer
from backend.app.routers.event_stream import prefers_stream
from backend.app.services.answer_events import AnswerEvent, TextVerified
from backend.app.utils.config import Settings
from backend.app.utils.embedded import EmbeddedPostgres
from backend.main import create_app
from tests.fakes import claude_wire as wire
from tests.fakes.claude import Body, Content, FakeClaude
from tests.fakes.qdrant import FakeQdrant
from tests.fixtures.accounts import bearer, signup_form
from tests.fixtures.app import AppFactory, Shelf, client_of, running, settings_on_a_copy
from tests.fixtures.database import statements

QUESTION = "What is a ROS 2 node?"
STREAM = {"Accept": "text/event-stream"}
REFUSAL = "I don't have this information in the book."
BUSY = "AI service is busy. Please retry in a moment."
SEARCH_DOWN = "Sorry, search is temporarily unavailable. Please try again."


def two_sentences(body: Body) -> Content:
    return [
        wire.THINKING,
        wire.text("In short: "),
        wire.text("a node computes", wire.citation(body, 0)),
        wire.text(". Then "),
        wire.text("the node ends", wire.citation(body, 1)),
        wire.text("."),
    ]


PAID = """
SELECT outcome, cost_microusd > 0 FROM claude_calls JOIN users ON users.id = claude_calls.user_id WHERE email = %s
"""
ONE_SENTENCE_OUT = 16  # records of a streamed `two_sentences` until its first sentence is certain


def frames_of(text: str) -> list[dict[str, Any]]:
    """Read as frontends do: lines that begin with `data: ` and hold one JSON value."""
    lines = [line for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line != "data: [DONE]"]


def types_of(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames if frame["type"] != "data-status"]


def text_of(frames: list[dict[str, Any]]) -> str:
    return "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")


def answer_of(frames: list[dict[str, Any]]) -> dict[str, Any]:
    (answer,) = (frame["data"] for frame in frames if frame["type"] == "data-answer")
    return answer


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("response_time", "conversation_id")}


@dataclass
class Running:
    """One application for the whole module: starting one takes longer than asking it."""

    http: httpx2.Client
    claude: FakeClaude
    database_url: str

    def ask(self, path: str = "ask", **body: Any) -> httpx2.Response:
        return self.http.post(f"/api/chat/{path}", json={"question": QUESTION} | body, headers=STREAM)

    def frames(self, **body: Any) -> list[dict[str, Any]]:
        response = self.ask(**body)
        assert response.status_code == 200, response.text
        assert response.text.endswith('data: {"type":"finish"}\n\ndata: [DONE]\n\n')
        return frames_of(response.text)

    def plain(self, **body: Any) -> dict[str, Any]:
        return self.http.post("/api/chat/ask", json={"question": QUESTION} | body).json()

    def sign_up(self, email: str) -> dict[str, str]:
        form = self.http.post("/api/auth/signup", json=signup_form(email=email)).json()
        return bearer(form["access_token"])


@pytest.fixture(scope="module")
def app(
    shelf: Shelf, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with ExitStack() as stack:
        claude = stack.enter_context(FakeClaude())
        settings: Settings = stack.enter_context(
            settings_on_a_copy(
                shelf,
                postgres_server,
                tmp_path_factory.mktemp("stream"),
                anthropic_api_key=SecretStr("a-key-of-the-tests"),
                anthropic_base_url=claude.base_url,
                site_url="https://book.example",
            )
        )
        http = stack.enter_context(client_of(stack.enter_context(running(create_app(settings)))))
        assert settings.database_url
        yield Running(http, claude, settings.database_url.get_secret_value())


@pytest.fixture
def streaming(app: Running) -> Running:
    app.claude.requests.clear()
    app.claude.left.clear()
    app.http.cookies.clear()
    return app


# --- what is told


def test_the_stream_tells_the_plain_answer_piece_by_piece(streaming: Running) -> None:
    streaming.claude.says(two_sentences, times=2)
    response = streaming.ask()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    frames = frames_of(response.text)
    assert types_of(frames) == [
        *("start", "source-url", "text-start", "text-delta"),
        *("source-url", "text-delta", "text-end", "data-answer", "finish"),
    ]
    answer = answer_of(frames)
    assert text_of(frames) == answer["answer"] == "In short: a node computes. Then the node ends."
    cited = [frame for frame in frames if frame["type"] == "source-url"]
    assert [frame["url"] for frame in cited] == [source["url"] for source in answer["sources"]]
    assert [frame["sourceId"] for frame in cited] == ["1", "2"]
    assert without_times(streaming.plain()) == without_times(answer)
    assert set(streaming.plain()) == set(answer)


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("ask/stream", {}, {"question": QUESTION}),
        ("question", STREAM, {"question": QUESTION}),
        ("selected-text", STREAM, {"selected_text": "A ROS 2 node is"}),
    ],
)
def test_every_way_to_ask_can_be_streamed(
    streaming: Running, path: str, headers: dict[str, str], body: dict[str, str]
) -> None:
    response = streaming.http.post(f"/api/chat/{path}", json=body, headers=headers)
    assert types_of(frames_of(response.text))[-2:] == ["data-answer", "finish"]


@pytest.mark.parametrize("how", [{"piece_chars": 1, "cites_late": True}, {"pause_s": 0.02}, {"piece_chars": 500}])
def test_how_claude_cuts_its_reply_makes_no_difference(streaming: Running, how: dict[str, Any]) -> None:
    streaming.claude.says(two_sentences, **how)
    frames = streaming.frames()
    assert text_of(frames) == answer_of(frames)["answer"] == "In short: a node computes. Then the node ends."
    assert types_of(frames).index("source-url") < types_of(frames).index("text-start")


HOSTILE = (
    'He said "a node" \\ {} \u2028 \u2029 \u0085 😀🇵🇰 \x0b </script> data: [DONE] روبوٹ node\n\nevent: x\nA node'
)


def test_hostile_text_stays_in_its_line(streaming: Running) -> None:
    streaming.claude.says(lambda body: [wire.text(HOSTILE, wire.citation(body))], piece_chars=1)
    streaming.claude.says(lambda body: [wire.text(HOSTILE, wire.citation(body))])
    response = streaming.ask()
    for line in response.text.splitlines():  # which knows more line ends than SSE does
        assert line == "" or line == "data: [DONE]" or json.loads(line.removeprefix("data: "))
    frames = frames_of(response.text)
    assert text_of(frames) == answer_of(frames)["answer"] == streaming.plain()["answer"]
    assert "😀🇵🇰" in text_of(frames)


REFUSALS: dict[str, dict[str, Any]] = {
    "the sentence": {"said": REFUSAL},
    "the sentence and a true citation": {"said": lambda body: [wire.text(f"{REFUSAL} Yet.", wire.citation(body))]},
    "no citation": {"said": "A node is a node."},
    "an unknown source": {"said": [wire.text("A node.", {"type": "x", "source": "y", "cited_text": "a node"})]},
    "declined": {"said": [wire.text("A node is")], "stop_reason": "refusal"},
}


@pytest.mark.parametrize("said", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_is_the_one_sentence_without_sources(streaming: Running, said: dict[str, Any]) -> None:
    streaming.claude.says(**said)
    frames = streaming.frames()
    assert types_of(frames) == ["start", "text-start", "text-delta", "text-end", "data-answer", "finish"]
    answer = answer_of(frames)
    assert text_of(frames) == answer["answer"] == REFUSAL
    assert (answer["sources"], answer["outcome"], answer["grounded"]) == ([], "not_in_book", False)


def test_what_the_book_has_nothing_on_is_refused_without_claude(streaming: Running) -> None:
    frames = streaming.frames(question="How do I cook rice with lentils?")
    assert (text_of(frames), answer_of(frames)["related"] != []) == (REFUSAL, True)
    assert streaming.claude.requests == []


def test_without_a_key_the_passages_are_streamed_too(client: httpx2.Client) -> None:
    response = client.post("/api/chat/ask", json={"question": QUESTION}, headers=STREAM)
    frames = frames_of(response.text)
    answer = answer_of(frames)
    assert answer["mode"] == "extractive"
    assert text_of(frames) == answer["answer"]
    assert types_of(frames).count("source-url") == len(answer["sources"]) > 0
    assert types_of(frames).index("text-start") > types_of(frames).index("source-url")


# --- what is refused before the first byte


def test_a_bad_token_and_a_bad_body_have_their_own_status(streaming: Running) -> None:
    for path in ("ask", "ask/stream", "question", "selected-text"):
        body = {"question": QUESTION, "selected_text": "x"}
        forged = streaming.http.post(f"/api/chat/{path}", json=body, headers=STREAM | {"Authorization": "Bearer x"})
        assert (forged.status_code, forged.json()["code"]) == (401, "invalid_token")
        empty = streaming.http.post(f"/api/chat/{path}", json={"question": 5}, headers=STREAM)
        assert (empty.status_code, empty.json()["code"]) == (422, "validation_failed")
        assert empty.headers["content-type"] == "application/problem+json"


def test_a_search_that_is_gone_is_a_real_503(start_app: AppFactory, fake_qdrant: FakeQdrant) -> None:
    http = start_app(qdrant_url=fake_qdrant.url)
    fake_qdrant.stop()
    gone = http.post("/api/chat/ask/stream", json={"question": QUESTION})
    assert (gone.status_code, gone.json()["detail"]) == (503, SEARCH_DOWN)
    assert int(gone.headers["retry-after"]) > 0


# --- what fails later


def error_of(frames: list[dict[str, Any]]) -> str:
    (told,) = (frame["errorText"] for frame in frames if frame["type"] == "error")
    return told


def served_of(logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for entry in logs if (entry["event"], entry.get("path")) == ("request_served", "/api/chat/ask")]


FAILURES: dict[str, Callable[[FakeClaude], None]] = {
    "before any text": lambda claude: claude.fails(400),
    "an error event after the first sentence": lambda claude: claude.breaks_off(
        two_sentences, after=ONE_SENTENCE_OUT
    ),
    "a clean cut": lambda claude: claude.says(two_sentences, keep_records=ONE_SENTENCE_OUT),
    "a reset": lambda claude: claude.says(two_sentences, keep_records=ONE_SENTENCE_OUT, reset=True),
    "declined after the first sentence": lambda claude: claude.says(two_sentences, stop_reason="refusal"),
    "an ending that nobody knows": lambda claude: claude.says(two_sentences, stop_reason="a_new_reason"),
}


@pytest.mark.parametrize("fails", FAILURES.values(), ids=FAILURES.keys())
def test_what_fails_in_the_middle_is_told_in_the_stream_and_not_saved(
    streaming: Running, fails: Callable[[FakeClaude], None], request: pytest.FixtureRequest
) -> None:
    fails(streaming.claude)
    name = re.sub(r"\W+", "-", request.node.name)
    headers = streaming.sign_up(f"{name}@example.com")
    with capture_logs() as logs:
        response = streaming.http.post("/api/chat/ask", json={"question": QUESTION}, headers=STREAM | headers)
        history = streaming.http.get("/api/chat/history", headers=headers).json()
    frames = frames_of(response.text)
    assert error_of(frames) == BUSY
    assert types_of(frames)[-2:] == ["error", "finish"]
    assert response.text.endswith("data: [DONE]\n\n")
    assert "data-answer" not in types_of(frames)
    assert types_of(frames).count("text-start") == types_of(frames).count("text-end")
    assert len(streaming.claude.requests) == 1
    assert history == {"history": []}
    (served,) = served_of(logs)
    assert (served["status"], served["outcome"]) == (200, "failed")


def test_what_fails_before_a_sentence_was_certain_is_tried_again(streaming: Running) -> None:
    streaming.claude.breaks_off(two_sentences, after=ONE_SENTENCE_OUT - 2)
    frames = streaming.frames()
    assert answer_of(frames)["grounded"]
    assert len(streaming.claude.requests) == 2


def test_a_cut_answer_ends_with_its_last_sentence_and_says_so(streaming: Running) -> None:
    streaming.claude.says(
        lambda body: [*two_sentences(body)[:3], wire.text(". And a node")], stop_reason="max_tokens"
    )
    frames = streaming.frames()
    assert text_of(frames) == answer_of(frames)["answer"] == "In short: a node computes."
    assert answer_of(frames)["warning"] == "The answer was too long and ends early."


# --- a reader who leaves


def test_a_reader_who_leaves_ends_the_call_and_nothing_is_saved(streaming: Running) -> None:
    streaming.claude.says(two_sentences, keep_records=ONE_SENTENCE_OUT, stalls=True)
    headers = streaming.sign_up("leaves@example.com")
    asked = {"json": {"question": QUESTION}, "headers": STREAM | headers}
    with capture_logs() as logs:
        with streaming.http.stream("POST", "/api/chat/ask", **asked) as response:
            for line in response.iter_lines():
                if "text-delta" in line:  # shown while Claude is still writing
                    break
        assert streaming.claude.left.wait(10)
        assert streaming.plain()["grounded"]  # so that the log of the first request is written
    assert streaming.http.get("/api/chat/history", headers=headers).json() == {"history": []}
    assert "reader_left" in [entry["event"] for entry in logs]
    assert served_of(logs)[0].get("outcome") == "left"
    with statements(streaming.database_url) as cursor:
        cursor.execute(PAID, ("leaves@example.com",))
        assert cursor.fetchall() == [("unknown", True)]


@pytest.mark.anyio
async def test_a_reader_who_left_before_the_first_frame_ends_the_answering_too() -> None:
    app, ended = FastAPI(), asyncio.Event()

    async def nothing() -> None: ...

    async def endless() -> AsyncGenerator[AnswerEvent]:
        try:
            await asyncio.Event().wait()
            yield TextVerified("Never.")
        finally:
            ended.set()

    @app.get("/")
    async def _(request: Request) -> Response:
        return await stream_answer(request, endless(), on_failure=nothing)

    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(received, {"type": "http.disconnect"})

    async def send(message: Any) -> None: ...

    await app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, receive, send)
    assert ended.is_set()


# --- pauses


@pytest.mark.anyio
async def test_silence_is_filled_and_the_first_frame_does_not_wait() -> None:
    silent, go_on = FastAPI(), asyncio.Event()
    silent.add_middleware(RequestEnvelope, https_only=False)

    async def nothing() -> None: ...

    async def slow(go_on: asyncio.Event) -> AsyncGenerator[AnswerEvent]:
        await go_on.wait()
        yield TextVerified("Words.")

    @silent.get("/")
    async def _(request: Request) -> Response:
        return await stream_answer(request, slow(go_on), on_failure=nothing, keep_alive_s=0.02)

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    sent: list[bytes] = []
    is_alive = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if sent.count(b": keep-alive\n\n") == 3:
            is_alive.set()

    async def receive() -> Any:
        if sent:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    asking = asyncio.create_task(silent(scope, receive, send))
    await asyncio.wait_for(is_alive.wait(), 20)
    assert types_of(frames_of(b"".join(sent).decode())) == ["start"]
    go_on.set()
    await asking
    frames = frames_of(b"".join(sent).decode())
    assert types_of(frames) == ["start", "text-start", "text-delta", "finish"]


# --- which form is wanted


@pytest.mark.parametrize(
    ("accept", "streamed"),
    [
        ([], False),
        (["*/*"], False),
        (["application/json"], False),
        (["text/event-stream"], True),
        (["TEXT/Event-Stream; charset=utf-8"], True),
        (["text/event-stream, */*"], True),
        (["application/json, text/event-stream"], False),
        (["text/event-stream, application/json"], True),
        (["application/json;q=0.5, text/event-stream"], True),
        (["text/event-stream;q=0.2", "application/json"], False),
        (["text/event-stream;q=0"], False),
        (["text/event-stream;q=x"], False),
        ([",;=,q"], False),
    ],
)
def test_the_stream_is_sent_to_who_prefers_it(accept: list[str], streamed: bool) -> None:
    assert prefers_stream(accept) is streamed
