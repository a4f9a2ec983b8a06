"""The scripted Claude behaves as the public API reference says, seen through the real SDK."""

import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest

from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude, Reply
from tests.fakes.claude_rules import Refused, check_request

pytestmark = pytest.mark.anyio

RESULT = {
    "type": "search_result",
    "source": "book://a#b/chunk-1",
    "title": "A > B",
    "content": [{"type": "text", "text": "A node is a program. "}, {"type": "text", "text": "It does one job."}],
    "citations": {"enabled": True},
}
VALID: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": [RESULT, {"type": "text", "text": "What is a node?"}]}],
}


@pytest.fixture
async def client(claude: FakeClaude) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="k", base_url=claude.base_url, max_retries=0, timeout=5) as sdk:
        yield sdk


async def test_quotes_the_first_search_result_after_a_thinking_block(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**VALID)
    assert [block.type for block in message.content] == ["thinking", "text", "text"]
    cited = message.content[2].citations[0]
    assert cited.type == "search_result_location"
    assert (cited.cited_text, cited.source) == ("A node is a program. ", RESULT["source"])
    assert (cited.start_block_index, cited.end_block_index) == (0, 1)
    assert message.stop_reason == "end_turn"
    assert message._request_id


async def test_refuses_with_the_sentence_when_there_is_no_search_result(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**{**VALID, "messages": [{"role": "user", "content": "Hi"}]})
    assert message.content[-1].text == "I don't have this information in the book."


async def test_streams_the_same_message(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(**VALID) as stream:
        message = await stream.get_final_message()
    assert message.stop_reason == "end_turn"
    assert message.content[2].text == "A node is a program."
    assert message.content[2].citations[0].cited_text == "A node is a program. "


async def test_counts_tokens_without_using_up_the_script(
    client: anthropic.AsyncAnthropic, claude: FakeClaude
) -> None:
    claude.says("scripted")
    counted = await client.messages.count_tokens(model=VALID["model"], messages=VALID["messages"])
    assert counted.input_tokens > 14
    assert (await client.messages.create(**VALID)).content[0].text == "scripted"


async def test_records_what_was_sent(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    await client.messages.create(**VALID)
    assert claude.requests[0].headers["authorization"] == "Bearer k"
    assert claude.requests[0].headers["anthropic-version"] == "2026-10-21"
    assert claude.last_body["max_tokens"] == 100


async def test_follows_the_script_in_order_then_answers_by_itself(
    client: anthropic.AsyncAnthropic, claude: FakeClaude
) -> None:
    claude.fails(529, retry_after=7)
    claude.fails(429, error_code="enforced_spend_limit_reached")
    claude.says("third")
    with pytest.raises(anthropic.InternalServerError) as overloaded:
        await client.messages.create(**VALID)
    assert overloaded.value.response.headers["retry-after"] == "7"
    assert overloaded.value.type == "overloaded_error"
    with pytest.raises(anthropic.RateLimitError) as limited:
        await client.messages.create(**VALID)
    assert limited.value.error_code == "enforced_spend_limit_reached"
    assert (await client.messages.create(**VALID)).content[0].text == "third"
    assert (await client.messages.create(**VALID)).content[1].text == "According to the book: "


async def test_cuts_a_reply_short(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    claude.cuts(10)
    claude.cuts(10, reset=True)
    for _ in range(2):
        with pytest.raises((anthropic.APIConnectionError, httpx2.TransportError)):
            await client.messages.create(**VALID)
    assert await client.messages.create(**VALID)


async def test_hangs_until_the_client_gives_up(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    claude.hangs()
    with pytest.raises(anthropic.APITimeoutError):
        await client.with_options(timeout=0.05).messages.create(**VALID)


async def test_sends_raw_bytes_as_they_are(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    claude.replies(Reply(raw=b"<html>", headers={"content-type": "text/html"}))
    response = await client.messages.with_raw_response.create(**VALID)
    assert await response.text() == "<html>"


def changed(**fields: Any) -> dict[str, Any]:
    return {**VALID, **fields}


def with_content(*blocks: dict[str, Any], role: str = "user", **fields: Any) -> dict[str, Any]:
    first = {"role": role, "content": list(blocks)}
    return changed(messages=[first, {"role": "user", "content": "?"}], **fields)


def result(**fields: Any) -> dict[str, Any]:
    return {**RESULT, **fields}


REFUSED: dict[str, tuple[int, object]] = {
    "no object": (400, ["x"]),
    "no model": (400, {k: v for k, v in VALID.items() if k != "model"}),
    "no max_tokens": (400, {k: v for k, v in VALID.items() if k != "max_tokens"}),
    "no messages": (400, {k: v for k, v in VALID.items() if k != "messages"}),
    "empty messages": (400, changed(messages=[])),
    "retired model": (404, changed(model="claude-3-5-sonnet-20241022")),
    "temperature": (400, changed(temperature=1.0)),
    "top_p": (400, changed(top_p=1)),
    "top_k": (400, changed(top_k=1)),
    "prefill": (400, changed(messages=[*VALID["messages"], {"role": "assistant", "content": "The"}])),
    "budget thinking": (400, changed(thinking={"type": "enabled", "budget_tokens": 1024})),
    "disabled on sonnet": (400, changed(model="claude-sonnet-5-5", thinking={"type": "disabled"})),
    "disabled at xhigh": (400, changed(thinking={"type": "disabled"}, output_config={"effort": "xhigh"})),
    "disabled on opus": (400, changed(model="claude-opus-5-5", thinking={"type": "disabled"})),
    "unknown effort": (400, changed(output_config={"effort": "extreme"})),
    "forced tool on sonnet": (400, changed(model="claude-sonnet-5-5", tool_choice={"type": "any"})),
    "mixed citations": (400, with_content(result(), result(citations={"enabled": False}))),
    "citations with a schema": (400, changed(output_config={"format": {"type": "json_schema", "schema": {}}})),
    "no source": (400, with_content(result(source=""))),
    "no title": (400, with_content({k: v for k, v in RESULT.items() if k != "title"})),
    "no content": (400, with_content(result(content=[]))),
    "blank content block": (400, with_content(result(content=[{"type": "text", "text": " \n"}]))),
    "blank question": (400, with_content({"type": "text", "text": ""})),
    "citations in a user text": (400, with_content({"type": "text", "text": "x", "citations": [{}]})),
    "document of the assistant": (400, with_content({"type": "document"}, role="assistant")),
    "result of the assistant": (400, with_content(result(), role="assistant")),
    "unknown block": (400, with_content({"type": "hologram"})),
    "system role": (400, changed(messages=[{"role": "system", "content": "x"}])),
    "max_tokens too large": (400, changed(max_tokens=200_000)),
}


@pytest.mark.parametrize(("status", "body"), REFUSED.values(), ids=REFUSED.keys())
async def test_refuses_what_the_api_refuses(status: int, body: object) -> None:
    with pytest.raises(Refused) as refused:
        check_request(copy.deepcopy(body))
    assert refused.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        VALID,
        changed(thinking={"type": "disabled"}, output_config={"effort": "low"}),
        changed(model="claude-sonnet-5-5", thinking={"type": "between_tools"}),
        changed(tool_choice={"type": "any"}),
        with_content(result(citations={"enabled": False}), output_config={"format": {}}),
    ],
)
async def test_takes_what_the_api_takes(body: dict[str, Any]) -> None:
    check_request(body)


async def test_refuses_over_the_wire_even_when_a_reply_is_scripted(claude: FakeClaude) -> None:
    claude.says("never said")
    async with httpx2.AsyncClient(base_url=claude.base_url) as http:
        headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
        unkeyed = await http.post("/v1/messages", json=VALID)
        sampled = await http.post("/v1/messages", json=changed(temperature=0), headers=headers)
        broken = await http.post("/v1/messages", content=b"{", headers=headers | {"content-type": "application/json"})
        elsewhere = await http.post("/v1/complete", json=VALID, headers=headers)
    found = [(reply.status_code, reply.json()["error"]["type"]) for reply in (unkeyed, sampled, broken, elsewhere)]
    assert found == [
        (401, "authentication_error"),
        (400, "invalid_request_error"),
        (400, "invalid_request_error"),
        (404, "not_found_error"),
    ]
    assert all(reply.headers["request-id"] for reply in (unkeyed, sampled, broken, elsewhere))


async def test_a_true_citation_joins_the_cited_blocks() -> None:
    cited = wire.citation(VALID, 0, 0, 2)
    assert cited["cited_text"] == "A node is a program. It does one job."
    assert json.loads(json.dumps(cited)) == cited


def test_runs_as_a_program() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.claude", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        program.terminate()
    assert line.startswith("Scripted Claude on http://127.0.0.1:")


def test_says_so_when_its_port_is_taken() -> None:
    with FakeClaude() as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            FakeClaude(port).start()


PIECE = {**VALID, "messages": [{"role": "user", "content": [wire.text("<piece>\nA node.\n</piece>")]}]}


async def test_adapts_every_piece_and_leaves_the_rest_to_the_script(
    client: anthropic.AsyncAnthropic, claude: FakeClaude
) -> None:
    claude.adapts(lambda body: (f"{len(body['messages'])}", "max_tokens"))
    second = PIECE["messages"] + [{"role": "assistant", "content": "1"}, {"role": "user", "content": "Again."}]
    for messages, said in ((PIECE["messages"], "1"), (second, "3")):
        reply = await client.messages.create(**{**PIECE, "messages": messages})
        assert (reply.content[-1].text, reply.stop_reason) == (said, "max_tokens")
    assert (await client.messages.create(**VALID)).content[-1].text == "A node is a program."
    claude.fails(529)
    with pytest.raises(anthropic.APIStatusError):
        await client.messages.create(**PIECE)
    assert (await client.messages.create(**PIECE)).content[-1].text == "1"
