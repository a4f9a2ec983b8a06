"""The door to Claude: the request it sends, the replies it reads, the failures it names."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from backend.app.errors import AIServiceBusy, ConfigurationError
from backend.app.models.domain import UserId
from backend.app.prompts import load_prompt
from backend.app.services.claude_budget import Unlimited
from backend.app.services.claude_reply import MalformedReply, read_reply
from backend.app.services.claude_service import ClaudeService, Patience, answer_request, opaque_id
from backend.app.utils.config import Settings
from tests.fakes import claude_wire as wire
from tests.fakes.book import passage
from tests.fakes.claude import FakeClaude

pytestmark = pytest.mark.anyio
MODEL = "claude-haiku-5-5"


PASSAGE = passage("A node is a program. It does one job.", position=17)


@pytest.fixture
async def service(claude: FakeClaude) -> AsyncIterator[ClaudeService]:
    quick = Patience(deadline_s=5, backoff_s=0.01)
    opened = ClaudeService("sk-canary", MODEL, base_url=claude.base_url, patience=quick)
    await opened.warm_up()
    yield opened
    await opened.close()


async def test_sends_passages_as_citable_search_results_and_the_question_last(
    service: ClaudeService, claude: FakeClaude
) -> None:
    await service.answer("<question>What is a node?</question>", [PASSAGE], user_id=UserId(7))
    body = claude.last_body
    assert body == {
        "model": MODEL,
        "max_tokens": 1500,
        "output_config": {"effort": "low"},
        "system": [
            {"type": "text", "text": load_prompt("answer").text, "cache_control": {"type": "ephemeral"}},
        ],
        "metadata": {"user_id": opaque_id(UserId(7))},
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "search_result",
                        "source": "book://chunk-17",
                        "title": "ROS 2 > Nodes",
                        "content": [
                            {"type": "text", "text": "A node is a program. "},
                            {"type": "text", "text": "It does one job."},
                        ],
                        "citations": {"enabled": True},
                    },
                    {"type": "text", "text": "<question>What is a node?</question>"},
                ],
            }
        ],
    }
    assert claude.requests[0].headers["x-stainless-retry-count"] == "0"


async def test_a_section_is_sent_as_it_is_and_may_take_longer_than_an_answer(claude: FakeClaude) -> None:
    request = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "Guten Tag"}]}
    service = ClaudeService("k", MODEL, base_url=claude.base_url, patience=Patience(deadline_s=0.2))
    claude.says("Good day.", delay_s=0.5)
    reply = await service.adapt(request, "answer", user_id=UserId(7))
    assert (reply.text, claude.last_body) == ("Good day.", request)
    claude.says("Good day.", delay_s=0.5)
    with pytest.raises(AIServiceBusy):
        await service.answer("?", [PASSAGE])
    await service.close()


async def test_reads_text_citations_tokens_and_ids(service: ClaudeService) -> None:
    reply = await service.answer("?", [PASSAGE])
    assert reply.text == "According to the book: A node is a program."
    assert reply.blocks[1].citations[0].cited_text == "A node is a program. "
    assert (reply.stop_reason, reply.model, reply.request_id) == ("end_turn", MODEL, "req_000000")
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > reply.usage.thinking_tokens == 20
    assert reply.latency_ms >= 0


async def test_an_anonymous_reader_sends_no_user_id() -> None:
    assert "metadata" not in answer_request(MODEL, "?", [PASSAGE], None)
    assert opaque_id(UserId(7)) != opaque_id("8")
    assert opaque_id(UserId(7)) != "7"


async def test_reads_the_least_that_is_sure_to_be_present(service: ClaudeService, claude: FakeClaude) -> None:
    least = {"id": "m", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn"}
    reply = read_reply(
        {**least, "content": [{"type": "text", "text": "x", "citations": None}]}, request_id=None, latency_ms=1
    )
    assert reply.text == "x"
    assert reply.blocks[0].citations == ()
    assert reply.usage.input_tokens == 0


async def test_selects_blocks_by_type_and_ignores_unknown_ones(service: ClaudeService, claude: FakeClaude) -> None:
    unknown = {"type": "hologram", "text": "never shown"}
    claude.says([wire.THINKING, unknown, wire.text("One. "), wire.THINKING, wire.text("Two.")])
    assert (await service.answer("?", [PASSAGE])).text == "One. Two."


async def test_strips_leaked_cite_tags_and_counts_them(service: ClaudeService, claude: FakeClaude) -> None:
    claude.says('<cite index="0-1">A node</cite> is <b>one</b> program.<cite ')
    with capture_logs() as logs:
        reply = await service.answer("?", [PASSAGE])
    assert reply.text == "A node is <b>one</b> program."
    assert reply.leaked_tags == 3
    assert logs[-1]["leaked_tags"] == 3


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal"])
async def test_hands_over_how_the_reply_ended(service: ClaudeService, claude: FakeClaude, stop_reason: str) -> None:
    claude.says("Half of", stop_reason=stop_reason)
    assert (await service.answer("?", [PASSAGE])).stop_reason == stop_reason


async def test_citations_of_other_shapes_are_kept_as_untrue(service: ClaudeService, claude: FakeClaude) -> None:
    claude.says([{"type": "text", "text": "x", "citations": [{"type": "char_location"}, "nonsense", 7]}])
    citations = (await service.answer("?", [PASSAGE])).blocks[0].citations
    assert {(c.source, c.cited_text, c.start, c.end) for c in citations} == {("", "", -1, -1)}
    assert len(citations) == 3


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        b"",
        7,
        [],
        {},
        {"content": None, "stop_reason": "end_turn"},
        {"content": "text", "stop_reason": "end_turn"},
        {"content": []},
        {"content": [], "stop_reason": None},
        {"content": [{"type": "text", "text": "x" * 20_001}], "stop_reason": "end_turn"},
        {"content": [{"type": "text", "text": "x", "citations": [{}] * 501}], "stop_reason": "end_turn"},
    ],
)
def test_what_is_no_message_is_malformed(payload: object) -> None:
    with pytest.raises(MalformedReply):
        read_reply(payload, request_id=None, latency_ms=0)


@pytest.mark.parametrize(
    "usage",
    [None, [], {"input_tokens": -5, "output_tokens": "many", "output_tokens_details": 3}],
)
def test_usage_that_makes_no_sense_counts_as_zero(usage: object) -> None:
    reply = read_reply({"content": [], "stop_reason": "end_turn", "usage": usage}, request_id=None, latency_ms=0)
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.thinking_tokens) == (0, 0, 0)


async def test_retries_and_then_answers(service: ClaudeService, claude: FakeClaude) -> None:
    claude.fails(529, times=2)
    reply = await service.answer("?", [PASSAGE])
    assert "A node is a program." in reply.text
    assert len(claude.requests) == 3


async def test_no_log_line_holds_the_key_the_question_or_the_passages(
    service: ClaudeService, claude: FakeClaude
) -> None:
    claude.fails(400, message="sk-canary rejected: my secret question")
    claude.fails(529)
    with capture_logs() as logs:
        with pytest.raises(AIServiceBusy):
            await service.answer("my secret question", [PASSAGE])
        await service.answer("my secret question", [PASSAGE])
    written = json.dumps(logs, default=repr)
    assert logs[0]["event"] == "claude_call_failed"
    assert (logs[0]["kind"], logs[0]["status"]) == ("invalid_request_error", 400)
    assert logs[0]["claude_request_id"] == "req_000000"
    assert not [word for word in ("canary", "secret", "A node is") if word in written]


async def test_opens_one_client_however_many_ask_first(claude: FakeClaude) -> None:
    service = ClaudeService("k", MODEL, base_url=claude.base_url)
    await service.warm_up()
    first = service._client
    await service.warm_up()
    assert service._client is first
    await service.close()
    await service.close()


async def test_ignores_the_environment_of_the_library(claude: FakeClaude, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "other-token")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    service = ClaudeService("k", MODEL, base_url=claude.base_url)
    await service.answer("?", [PASSAGE])
    await service.close()
    assert claude.requests[0].headers["authorization"] == "Bearer k"


async def test_the_free_check_tells_a_good_model_from_an_unknown_one(claude: FakeClaude) -> None:
    for model, status in (("claude-haiku-5-5", None), ("claude-retired", 404)):
        service = ClaudeService("key", model, base_url=claude.base_url)
        failure = await service.check()
        await service.close()
        assert (failure.status if failure else None) == status
    assert claude.requests == []


def test_without_a_key_there_is_no_service() -> None:
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        ClaudeService.from_settings(Settings(), Unlimited())


def test_importing_the_service_does_not_import_the_library() -> None:
    seen = "import sys, backend.app.services.claude_service; print('anthropic' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_prompts_version_follows_its_text() -> None:
    prompt = load_prompt("answer")
    assert len(prompt.version) == 12
    assert "I don't have this information in the book." in prompt.text
    assert prompt is load_prompt("answer")


def test_the_prompt_holds_no_variables() -> None:
    assert not set(load_prompt("answer").text) & set("{}$%")


def reply_of(content: Any) -> Any:
    return read_reply({"content": content, "stop_reason": "end_turn"}, request_id=None, latency_ms=0)


def test_text_that_is_no_string_is_ignored() -> None:
    assert reply_of([{"type": "text", "text": None}, {"type": "text", "text": 5}, "x", None]).blocks == ()
