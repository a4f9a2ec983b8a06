"""Batches of calls at the Message Batches API: made, looked at, listed, their results read. Half price, up to a day.

Knows the API's words; whose money it is and what a line means is `batch_sender`'s and
`batch_fetcher`'s business. Goes through the one door (`claude_service`), and reads JSON by hand for the reason that
`claude_reply` gives.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import structlog

from backend.app.services.claude_failure import CallFailure, describe_failure, was_not_billed
from backend.app.services.claude_reply import ClaudeReply, MalformedReply, as_list, as_object, read_reply
from backend.app.services.claude_service import ClaudeService

RESULTS_KEPT_S = 29 * 86_400.0
"""After that nobody can fetch what was paid for."""
TRIES = 4
DEADLINE_S = 120.0
LONGEST_WAIT_S = 60.0
_PAGE = 100
_MAY_EXIST = frozenset({500, 502, 503, 504})  # an answer of somebody in between says nothing of what was done

LineEnd = Literal["succeeded", "errored", "canceled", "expired", "unknown"]
"""Of these only the first is billed; unknown: words that this program does not know, which may be."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BatchCallFailed(Exception):
    """A call about batches came to nothing. `did_nothing`: whatever it was to do was not done, for sure."""

    def __init__(self, failure: CallFailure, *, did_nothing: bool) -> None:
        self.failure = failure
        self.did_nothing = did_nothing
        super().__init__(f"{failure.kind} ({failure.status})" if failure.status else failure.kind)


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch as Claude describes it. `done` of `total` lines have ended, one way or another; `has_results` is False
    as long as they are worked on, and after 29 days."""

    batch_id: str
    created_at: datetime
    total: int
    done: int
    has_ended: bool
    has_results: bool


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How one line ended. `reply` None: it did not succeed, or came back unreadable; `error` says which error."""

    custom_id: str
    end: LineEnd
    reply: ClaudeReply | None = None
    error: str = ""


class ClaudeBatches:
    """One per process. Every method raises BatchCallFailed."""

    def __init__(self, claude: ClaudeService, *, backoff_s: float = 1.0) -> None:
        self._claude = claude
        self._backoff_s = backoff_s

    async def create(self, requests: Mapping[str, Mapping[str, Any]]) -> str:
        """Make a batch of these (custom id -> body); its id. Repeated only after answers that say it was not made."""
        lines = [{"custom_id": custom_id, "params": body} for custom_id, body in requests.items()]
        made = await self._call("create", lambda api: api.create(requests=lines), may_repeat=_did_nothing)
        return _state(made).batch_id

    async def retrieve(self, batch_id: str) -> BatchState:
        return _state(await self._call("retrieve", lambda api: api.retrieve(batch_id)))

    async def cancel(self, batch_id: str) -> None:
        """Lines that were not begun are not billed."""
        await self._call("cancel", lambda api: api.cancel(batch_id))

    async def list_since(self, moment: datetime) -> list[BatchState]:
        """Every batch of this key's workspace that was made after `moment`, newest first."""
        found: list[BatchState] = []
        after: dict[str, str] = {}
        while True:
            page = await self._call("list", lambda api, after=after: api.list(limit=_PAGE, **after))
            states = [_state(as_object(each)) for each in as_list(page.get("data"))]
            found += [state for state in states if state.created_at >= moment]
            if not page.get("has_more") or not states or states[-1].created_at < moment:
                return found
            after = {"after_id": states[-1].batch_id}

    async def results(self, batch_id: str) -> AsyncGenerator[BatchResult]:
        """In no order, read while they come; when the connection breaks, an end with BatchCallFailed: begin again."""
        client = await self._claude.open_client()
        try:
            async with client.messages.batches.with_streaming_response.results(batch_id) as response:
                async for line in _lines(response.iter_bytes()):
                    if result := _read_line(line, batch_id):
                        yield result
        except Exception as error:  # httpx2's errors are no APIError, and are failures too
            raise _failed("results", error) from error

    async def _call(
        self,
        name: str,
        call: Callable[[Any], Awaitable[Any]],
        *,
        may_repeat: Callable[[Exception], bool] = lambda _error: True,
    ) -> Mapping[str, Any]:
        client = await self._claude.open_client()
        api = client.with_options(timeout=DEADLINE_S).messages.batches.with_raw_response
        for attempt in range(TRIES):
            try:
                async with asyncio.timeout(DEADLINE_S):
                    response = await call(api)
                    return as_object(await response.json())
            except Exception as error:  # as above, and JSON's
                failed = _failed(name, error)
                if attempt == TRIES - 1 or not failed.failure.retryable or not may_repeat(error):
                    raise failed from error
            wait_s = failed.failure.retry_after_s or self._backoff_s * 2**attempt
            await asyncio.sleep(min(wait_s, LONGEST_WAIT_S))
        raise AssertionError("the last attempt returns or raises")


def _failed(name: str, error: Exception) -> BatchCallFailed:
    failure = describe_failure(error)
    log.warning("claude_batch_call_failed", call=name, **asdict(failure))
    return BatchCallFailed(failure, did_nothing=_did_nothing(error))


def _did_nothing(error: Exception) -> bool:
    return was_not_billed(error) and getattr(error, "status_code", None) not in _MAY_EXIST


def _state(batch: Mapping[str, Any]) -> BatchState:
    """Raises BatchCallFailed for anything that is no batch."""
    counts = {name: count for name, count in as_object(batch.get("request_counts")).items() if isinstance(count, int)}
    try:
        batch_id, created_at = str(batch["id"]), datetime.fromisoformat(str(batch["created_at"]))
    except (KeyError, ValueError) as error:
        raise BatchCallFailed(describe_failure(error), did_nothing=False) from error
    total = sum(counts.values())
    return BatchState(
        batch_id=batch_id,
        created_at=created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC),
        total=total,
        done=total - counts.get("processing", 0),
        has_ended=batch.get("processing_status") == "ended",
        has_results=bool(batch.get("results_url")),
    )


def _read_line(line: bytes, batch_id: str) -> BatchResult | None:
    """None for what is no JSON: what belongs to it counts as a line without a result."""
    try:
        return _result(as_object(json.loads(line)), batch_id)
    except ValueError:
        log.error("claude_batch_line_unreadable", claude_batch_id=batch_id)
        return None


def _result(line: Mapping[str, Any], batch_id: str) -> BatchResult:
    custom_id, result = str(line.get("custom_id", "")), as_object(line.get("result"))
    match result.get("type"):
        case "succeeded":
            try:
                reply = read_reply(result.get("message"), request_id=batch_id, latency_ms=0)
            except MalformedReply as malformed:
                return BatchResult(custom_id, "unknown", error=str(malformed))
            return BatchResult(custom_id, "succeeded", reply)
        case "errored":
            error = as_object(as_object(result.get("error")).get("error"))
            return BatchResult(custom_id, "errored", error=str(error.get("type", "error"))[:60])
        case "canceled" | "expired" as end:
            return BatchResult(custom_id, end)
        case _:
            return BatchResult(custom_id, "unknown", error=str(result.get("type"))[:60])


async def _lines(pieces: Any) -> AsyncGenerator[bytes]:
    """Cut at line feeds alone: JSON may hold other characters that end lines elsewhere."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest
