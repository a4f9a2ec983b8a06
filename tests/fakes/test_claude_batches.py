"""The scripted batches behave as the public API reference says, seen through the real SDK."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import anthropic
import httpx2
import pytest

from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude
from tests.fakes.claude_batches import FakeBatch

pytestmark = pytest.mark.anyio
Params = dict[str, Any]


def params(words: str, **changes: Any) -> Params:
    content = [wire.text(f"<piece>\n{words}\n</piece>")]
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": content}],
        **changes,
    }


def says(words: str) -> Callable[[Any], bool]:
    return lambda sent: words in sent["messages"][0]["content"][0]["text"]


@pytest.fixture
async def client(claude: FakeClaude) -> AsyncIterator[anthropic.AsyncAnthropic]:
    claude.adapts(lambda body: body["messages"][0]["content"][0]["text"].upper())
    async with anthropic.AsyncAnthropic(api_key="k", base_url=claude.base_url, max_retries=0, timeout=5) as sdk:
        yield sdk


async def make(client: anthropic.AsyncAnthropic, **lines: Any) -> str:
    requests: Any = [{"custom_id": custom_id, "params": sent} for custom_id, sent in lines.items()]
    return (await client.messages.batches.create(requests=requests)).id


async def results_of(client: anthropic.AsyncAnthropic, batch_id: str) -> dict[str, Any]:
    return {line.custom_id: line.result async for line in await client.messages.batches.results(batch_id)}


async def test_a_batch_is_in_progress_then_ended_and_every_line_has_its_result(
    client: anthropic.AsyncAnthropic, claude: FakeClaude
) -> None:
    claude.batches.looks = 2
    batch_id = await make(client, **{f"line-{number}": params(f"text {number}") for number in range(20)})
    for status, processing in (("in_progress", 20), ("in_progress", 20), ("ended", 0)):
        batch = await client.messages.batches.retrieve(batch_id)
        assert (batch.processing_status, batch.request_counts.processing) == (status, processing)
    assert batch.results_url
    assert batch.results_url.startswith(claude.base_url)
    assert (batch.expires_at - batch.created_at).total_seconds() == 86_400
    results = await results_of(client, batch_id)
    assert list(results) != sorted(results, key=lambda custom_id: int(custom_id[5:]))
    assert len(results) == 20
    for number in range(20):
        message = results[f"line-{number}"].message
        assert f"TEXT {number}\n" in message.content[-1].text
        assert message.usage.output_tokens > 0
    assert claude.requests == []  # no line is a call of its own


async def test_lines_end_as_each_deserves(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    claude.batches.looks = 0
    claude.batches.lines = {"expired": says("late"), "errored": says("broken"), "canceled": says("stopped")}
    wrong = params("fine", temperature=1)
    batch_id = await make(
        client, a=params("late"), b=params("broken"), c=params("stopped"), d=wrong, e=params("fine")
    )
    batch = await client.messages.batches.retrieve(batch_id)
    counted = batch.request_counts
    assert (counted.succeeded, counted.errored, counted.canceled, counted.expired) == (1, 2, 1, 1)
    results = await results_of(client, batch_id)
    assert {custom_id: result.type for custom_id, result in results.items()} == {
        "a": "expired",
        "b": "errored",
        "c": "canceled",
        "d": "errored",
        "e": "succeeded",
    }
    assert results["d"].error.error.type == "invalid_request_error"


async def test_a_cancelled_batch_ends_with_cancelled_lines(
    client: anthropic.AsyncAnthropic, claude: FakeClaude
) -> None:
    claude.batches.looks = None
    batch_id = await make(client, a=params("one"), b=params("two"))
    assert (await client.messages.batches.cancel(batch_id)).processing_status == "canceling"
    assert (await client.messages.batches.retrieve(batch_id)).processing_status == "ended"
    assert {result.type for result in (await results_of(client, batch_id)).values()} == {"canceled"}


async def test_batches_are_listed_newest_first_page_by_page(
    client: anthropic.AsyncAnthropic, claude: FakeClaude
) -> None:
    made = [await make(client, a=params(f"{number}")) for number in range(5)]
    listed = [batch.id async for batch in client.messages.batches.list(limit=2)]
    assert listed == made[::-1]


@pytest.mark.parametrize(
    ("requests", "sentence"),
    [
        ([], "between 1 and 100000"),
        ([{"custom_id": "a b", "params": {}}], "should match pattern"),
        ([{"custom_id": "a" * 65, "params": {}}], "should match pattern"),
        ([{"custom_id": "a", "params": {}}] * 2, "must be unique"),
        ([{"params": {}}], "Field required"),
    ],
)
async def test_refuses_what_is_no_batch(
    client: anthropic.AsyncAnthropic, claude: FakeClaude, requests: Any, sentence: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=sentence):
        await client.messages.batches.create(requests=requests)
    assert claude.batches.made == []


async def test_no_key_and_an_unknown_batch_are_refused(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.batches.retrieve("msgbatch_of_somebody_else")
    for method in ("GET", "POST"):
        keyless = httpx2.request(method, f"{claude.base_url}/v1/messages/batches", json={})
        assert (keyless.status_code, keyless.json()["error"]["type"]) == (401, "authentication_error")


async def test_fails_as_scripted_and_swallows_an_answer(client: anthropic.AsyncAnthropic, claude: FakeClaude) -> None:
    claude.batches.fails("create", 529, retry_after="3")
    with pytest.raises(anthropic.APIStatusError) as failure:
        await make(client, a=params("one"))
    assert (failure.value.status_code, failure.value.response.headers["retry-after"]) == (529, "3")
    claude.batches.swallows("create")
    with pytest.raises(anthropic.APITimeoutError):
        await make(client.with_options(timeout=0.2), a=params("one"))
    (made,) = claude.batches.made
    assert isinstance(made, FakeBatch)
    assert claude.batches.asked == ["create", "create"]
