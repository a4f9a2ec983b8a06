"""The door to batches: what is sent, what is read of the answers, and what a failure says."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.app.services.claude_batches import BatchCallFailed, BatchResult, ClaudeBatches
from backend.app.services.claude_service import ClaudeService
from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude, Reply

pytestmark = pytest.mark.anyio
LONG_AGO = datetime.now(UTC) - timedelta(days=400)


@pytest.fixture
async def batches(claude: FakeClaude) -> AsyncIterator[ClaudeBatches]:
    claude.adapts(lambda body: body["messages"][0]["content"][0]["text"].upper())
    service = ClaudeService("k", "claude-haiku-5-5", base_url=claude.base_url)
    yield ClaudeBatches(service)
    await service.close()


def body(words: str, **changes: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": [wire.text(f"<piece>\n{words}\n</piece>")]}]
    return {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": asked, **changes}


async def read(batches: ClaudeBatches, batch_id: str) -> dict[str, BatchResult]:
    return {result.custom_id: result async for result in batches.results(batch_id)}


async def test_requests_are_sent_as_they_are_and_their_replies_come_back(
    batches: ClaudeBatches, claude: FakeClaude
) -> None:
    requests = {f"t_{number}": body(f"piece \u2028 {number}") for number in range(3)}
    batch_id = await batches.create(requests)
    assert claude.batches.made[0].requests == requests
    first, second = await batches.retrieve(batch_id), await batches.retrieve(batch_id)
    assert (first.batch_id, first.total, first.done, first.has_ended, first.has_results) == (
        *(batch_id, 3, 0),
        *(False, False),
    )
    assert (second.total, second.done, second.has_ended, second.has_results) == (3, 3, True, True)
    results = await read(batches, batch_id)
    assert set(results) == set(requests)
    for number in range(3):
        reply = results[f"t_{number}"].reply
        assert reply
        assert f"PIECE \u2028 {number}" in reply.text
        assert (reply.stop_reason, reply.request_id) == ("end_turn", batch_id)
        assert reply.usage.output_tokens


async def test_a_line_that_did_not_succeed_says_how_it_ended(batches: ClaudeBatches, claude: FakeClaude) -> None:
    claude.batches.looks = 0
    claude.batches.lines = {"expired": lambda sent: sent["max_tokens"] == 101}
    claude.replies(Reply({"no": "message"}))
    batch_id = await batches.create(
        {"late": body("a", max_tokens=101), "wrong": body("b", top_k=1), "odd": body("c"), "good": body("d")}
    )
    await batches.retrieve(batch_id)
    results = await read(batches, batch_id)
    assert {custom_id: (result.end, result.error) for custom_id, result in results.items()} == {
        "late": ("expired", ""),
        "wrong": ("errored", "invalid_request_error"),
        "odd": ("unknown", "no content"),
        "good": ("succeeded", ""),
    }


async def test_batches_are_listed_back_to_a_moment(batches: ClaudeBatches, claude: FakeClaude) -> None:
    made = [await batches.create({"a": body("a")}) for _ in range(3)]
    claude.batches.made[0].created_at -= timedelta(hours=1)
    assert [state.batch_id for state in await batches.list_since(LONG_AGO)] == made[::-1]
    recent = await batches.list_since(datetime.now(UTC) - timedelta(minutes=30))
    assert [state.batch_id for state in recent] == [made[2], made[1]]


@pytest.mark.parametrize("operation", ["retrieve", "list"])
async def test_looking_is_repeated_when_the_api_is_busy(
    batches: ClaudeBatches, claude: FakeClaude, operation: Any
) -> None:
    batch_id = await batches.create({"a": body("a")})
    claude.batches.fails(operation, 529, times=2, retry_after="0.01")
    await (batches.retrieve(batch_id) if operation == "retrieve" else batches.list_since(LONG_AGO))
    assert claude.batches.asked.count(operation) == 3


@pytest.mark.parametrize(
    ("status", "tries", "did_nothing"),
    [(529, 4, True), (429, 4, True), (400, 1, True), (500, 1, False), (504, 1, False)],
)
async def test_making_is_repeated_only_when_it_is_sure_that_nothing_was_made(
    batches: ClaudeBatches, claude: FakeClaude, status: int, tries: int, did_nothing: bool
) -> None:
    claude.batches.fails("create", status, times=4, retry_after="0.01")
    with pytest.raises(BatchCallFailed) as failure:
        await batches.create({"a": body("a")})
    assert failure.value.did_nothing is did_nothing
    assert failure.value.failure.status == status
    assert len(claude.batches.asked) == tries


async def test_nobody_to_connect_to_is_told_from_an_answer_that_is_cut(claude: FakeClaude) -> None:
    nobody = ClaudeBatches(ClaudeService("k", "claude-haiku-5-5", base_url="http://127.0.0.1:1"), backoff_s=0.01)
    with pytest.raises(BatchCallFailed) as failure:
        await nobody.retrieve("msgbatch_1")
    assert failure.value.did_nothing


async def test_a_batch_of_somebody_else_is_a_failure(batches: ClaudeBatches) -> None:
    with pytest.raises(BatchCallFailed) as failure:
        await batches.retrieve("msgbatch_of_somebody_else")
    assert failure.value.failure.status == 404
    with pytest.raises(BatchCallFailed):
        await read(batches, "msgbatch_of_somebody_else")
