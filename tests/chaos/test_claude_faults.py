"""Claude fails in every way it can: the reader gets one sentence with a Retry-After, in bounded time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from backend.app.errors import AIServiceBusy
from backend.app.services.claude_service import ClaudeService, Patience
from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude, Reply

pytestmark = [pytest.mark.anyio, pytest.mark.chaos]
DEADLINE_S = 1.5


@pytest.fixture
async def service(claude: FakeClaude) -> AsyncIterator[ClaudeService]:
    opened = ClaudeService(
        "k", "claude-haiku-5-5", base_url=claude.base_url, patience=Patience(DEADLINE_S, backoff_s=0.01)
    )
    await opened.warm_up()
    yield opened
    await opened.close()


async def busy(service: ClaudeService) -> AIServiceBusy:
    with pytest.raises(AIServiceBusy) as failed:
        await service.answer("?", [])
    assert failed.value.detail == "AI service is busy. Please retry in a moment."
    return failed.value


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
async def test_a_request_that_cannot_succeed_is_sent_once(
    service: ClaudeService, claude: FakeClaude, status: int
) -> None:
    claude.fails(status)
    assert (await busy(service)).retry_after_s == 60
    assert len(claude.requests) == 1


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
async def test_a_spend_limit_is_not_retried(service: ClaudeService, claude: FakeClaude, code: str) -> None:
    claude.fails(429, error_code=code)
    assert (await busy(service)).retry_after_s == 60
    assert len(claude.requests) == 1


async def test_the_api_may_forbid_a_retry(service: ClaudeService, claude: FakeClaude) -> None:
    claude.fails(500, headers={"x-should-retry": "false"})
    await busy(service)
    assert len(claude.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_lasting_outage_costs_one_try_and_three_retries(
    service: ClaudeService, claude: FakeClaude, status: int
) -> None:
    claude.fails(status, times=9)
    await busy(service)
    assert len(claude.requests) == 4


async def test_a_ramp_limit_is_an_ordinary_429(service: ClaudeService, claude: FakeClaude) -> None:
    claude.fails(429, error_code="ramp_limit_exceeded")
    assert (await service.answer("?", [])).stop_reason == "end_turn"


async def test_waits_as_long_as_the_api_asks_when_that_fits(service: ClaudeService, claude: FakeClaude) -> None:
    claude.fails(429, retry_after=0.4)
    started = time.monotonic()
    await service.answer("?", [])
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(("asked", "told"), [(90, 90), (86_400, 86_400), (4_294_967, 86_400)])
async def test_tells_the_reader_a_wait_that_does_not_fit(
    service: ClaudeService, claude: FakeClaude, asked: int, told: int
) -> None:
    claude.fails(529, retry_after=asked)
    started = time.monotonic()
    assert (await busy(service)).retry_after_s == told
    assert time.monotonic() - started < DEADLINE_S / 2
    assert len(claude.requests) == 1


@pytest.mark.parametrize("nonsense", ["-5", "nan", "inf", "soon", "", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_a_senseless_retry_after_counts_as_none(
    service: ClaudeService, claude: FakeClaude, nonsense: str
) -> None:
    claude.fails(529, retry_after=nonsense)
    assert (await service.answer("?", [])).stop_reason == "end_turn"


SLOW: dict[str, Callable[[FakeClaude], None]] = {
    "hangs before the headers": lambda claude: claude.hangs(times=9),
    "answers too late": lambda claude: claude.says("late", delay_s=DEADLINE_S + 5, times=9),
    "drips byte by byte": lambda claude: claude.says("dripping", drip_s=0.05, times=9),
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
async def test_the_deadline_holds_over_everything(
    service: ClaudeService, claude: FakeClaude, slow: Callable[[FakeClaude], None]
) -> None:
    slow(claude)
    started = time.monotonic()
    await busy(service)
    assert DEADLINE_S - 0.2 <= time.monotonic() - started < DEADLINE_S + 1


BROKEN: dict[str, Reply] = {
    "cut body": Reply(raw=b"x" * 100, keep_bytes=10),
    "reset connection": Reply(raw=b"x" * 100, keep_bytes=10, reset=True),
    "cut JSON": Reply(raw=b'{"id": "msg_1", "content": ['),
    "HTML": Reply(raw=b"<html>gateway</html>", headers={"content-type": "text/html"}),
    "HTML with status 502": Reply(raw=b"<html>bad gateway</html>", status=502),
    "empty body": Reply(),
    "null": Reply(raw=b"null"),
    "a string": Reply(raw=b'"hello"'),
    "a list": Reply(raw=b"[]"),
    "empty object": Reply(raw=b"{}"),
    "content null": Reply(raw=b'{"content": null, "stop_reason": "end_turn"}'),
    "no stop reason": Reply(raw=b'{"content": []}'),
    "not UTF-8": Reply(raw=b'{"content": "\xff\xfe"}'),
    "5 MB of text": Reply(
        raw=b'{"stop_reason":"end_turn","content":[{"type":"text","text":"' + b"x" * 5_000_000 + b'"}]}'
    ),
    "gzip that is none": Reply(raw=b"plain", headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_an_unreadable_reply_is_retried_and_then_told(
    service: ClaudeService, claude: FakeClaude, broken: Reply
) -> None:
    claude.replies(broken, times=4)
    await busy(service)
    assert len(claude.requests) == 4
    assert (await service.answer("?", [])).stop_reason == "end_turn"


@pytest.mark.parametrize(
    "stop_reason", ["pause_turn", "model_context_window_exceeded", "tool_use", "stop_sequence", "a_new_reason"]
)
async def test_an_unknown_ending_is_not_an_answer_and_not_repeated(
    service: ClaudeService, claude: FakeClaude, stop_reason: str
) -> None:
    claude.says("Half of an", stop_reason=stop_reason)
    with capture_logs() as logs:
        await busy(service)
    assert len(claude.requests) == 1
    assert logs[-1]["stop_reason"] == stop_reason


async def test_a_dead_address_is_told_in_time(claude: FakeClaude) -> None:
    service = ClaudeService("k", "m", base_url="http://127.0.0.1:9", patience=Patience(DEADLINE_S, 0.01))
    await busy(service)
    await service.close()


async def test_a_reader_who_leaves_ends_the_call(service: ClaudeService, claude: FakeClaude) -> None:
    claude.hangs()
    asking = asyncio.create_task(service.answer("?", []))
    assert await asyncio.to_thread(claude.received.wait, 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await service.answer("?", [])).text == wire.SENTINEL


async def test_recovers_as_soon_as_claude_does(service: ClaudeService, claude: FakeClaude) -> None:
    claude.fails(503, times=4)
    await busy(service)
    assert (await service.answer("?", [])).stop_reason == "end_turn"
