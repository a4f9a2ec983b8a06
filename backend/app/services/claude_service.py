"""The door to Claude: one client, one request shape for answers, one way to fail.

Knows the Messages API and how long a reader may wait. Knows nothing of the book beyond the passages it is
given and decides nothing about an answer's truth. The only module that imports anthropic, and only when
it is first needed: the import costs 0.8 s and 70 MB.
"""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol, Self

import structlog

from backend.app.errors import AIServiceBusy, ConfigurationError
from backend.app.models.domain import UserId
from backend.app.prompts import load_prompt
from backend.app.services.claude_budget import Budget, Feature, PlannedTry, Reservation, Unlimited, dearest_usage
from backend.app.services.claude_failure import CallFailure, describe_failure, was_not_billed
from backend.app.services.claude_reply import ClaudeReply, Usage, as_object, read_reply
from backend.app.services.claude_stream import ReplyPart, StreamedReply
from backend.app.services.passages import Passage
from backend.app.services.telemetry import Stage, Telemetry, Unheard, timed
from backend.app.utils.config import Settings

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

API_URL = "https://api.anthropic.com"
MAX_ANSWER_TOKENS = 1500  # 3-8 sentences need ~300; the rest is room for adaptive thinking at low effort
MAX_REWRITE_TOKENS = 200  # one line of at most 40 words
MAX_REWRITE_TOKENS_THINKING = 1000
REWRITE_DEADLINE_S = 4.0  # a part of the time a reader waits; without a rewrite the question is searched as it is
_STAGES: dict[Feature, Stage] = {
    "answer": "claude_answer",
    "rewrite": "claude_rewrite",
    "translate": "claude_translate",
    "personalize": "claude_personalize",
}
_THINKING_OFF = {"claude-haiku-5-5": "disabled", "claude-sonnet-5-5": "between_tools"}  # others cannot, or may not
MAX_RETRIES = 3
BACKOFF_CAP_S = 8.0
PERMANENT_RETRY_AFTER_S = 60  # a wrong key or a spend limit does not go away in a moment
LONGEST_RETRY_AFTER_S = 86_400

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one answer, and one section of a chapter, may take in all, and how the waits between tries grow (full
    jitter)."""

    deadline_s: float = 20.0
    section_deadline_s: float = 180.0
    backoff_s: float = 0.5


class ReplyListener(Protocol):
    """Hears a reply while it is being written."""

    @property
    def has_told(self) -> bool:
        """Whether something was passed on, so that the reply cannot begin again."""
        ...

    def begin(self) -> None:
        """The reply begins, or begins again: forget what was heard before."""
        ...

    def hear(self, part: ReplyPart) -> None:
        """The next part of the reply."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be made, until it succeeds or `patience` ends. With a listener the reply is streamed. The
    instructions of a feature are the prompt of its name."""

    feature: Feature
    request: dict[str, Any]
    patience: Patience
    user_id: UserId | None
    listener: ReplyListener | None = None

    @property
    def may_begin_again(self) -> bool:
        return self.listener is None or not self.listener.has_told

    @property
    def planned(self) -> PlannedTry:
        return PlannedTry(
            feature=self.feature,
            model=self.request["model"],
            prompt_version=load_prompt(self.feature).version,
            user_id=self.user_id,
            dearest=dearest_usage(self.request),
            deadline_s=self.patience.deadline_s,
        )


class ClaudeService:
    """One per process. Every failure of a call is AIServiceBusy; the log says what it was."""

    def __init__(
        self,
        api_key: str,
        model: str,
        *,
        base_url: str | None = None,
        patience: Patience | None = None,
        budget: Budget | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url or API_URL
        self._model = model
        self._patience = patience or Patience()
        self._budget = budget or Unlimited()
        self._telemetry = telemetry or Unheard()
        self._client: AsyncAnthropic | None = None
        self._opening = asyncio.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, budget: Budget, telemetry: Telemetry | None = None) -> Self:
        """Raises ConfigurationError without a key."""
        if settings.anthropic_api_key is None:
            raise ConfigurationError(["ANTHROPIC_API_KEY: set it to let Claude answer."])
        key = settings.anthropic_api_key.get_secret_value()
        base_url = settings.anthropic_base_url
        return cls(key, settings.claude_model, base_url=base_url, budget=budget, telemetry=telemetry)

    async def warm_up(self) -> None:
        """Import the library and build the client beside the event loop, so that no reader waits for it."""
        await self.open_client()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def check(self) -> CallFailure | None:
        """None when the API accepts the key and knows the model. One try, free of charge: reads its description."""
        try:
            async with asyncio.timeout(self._patience.deadline_s):
                client = await self.open_client()
                await client.models.retrieve(self._model)
        except Exception as error:  # whatever it is, it is the finding
            return describe_failure(error)
        return None

    async def answer(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        user_id: UserId | None = None,
        listener: ReplyListener | None = None,
    ) -> ClaudeReply:
        """Ask about `passages`. `question` is the tagged and escaped text block of the reader's words.

        `stop_reason` of the reply is "end_turn", "max_tokens" (text may be cut) or "refusal" (text is to be
        ignored). Raises NoMoney when the budget refuses, before anything was heard, and AIServiceBusy for everything
        else, at the latest when the deadline is over. Cancelled, it closes the connection, which ends the writing.
        """
        request = answer_request(self.model, question, passages, user_id)
        return await self._complete(Call("answer", request, self._patience, user_id, listener))

    @property
    def model(self) -> str:
        """The one that is asked now."""
        return self._budget.choose_model(self._model)

    async def rewrite(self, block: str, *, user_id: UserId | None = None) -> str:
        """Ask for the search question behind `block`, a tagged text block of the reader's words.

        The reply's text as it is, empty when it was cut or refused. Raises NoMoney and, after 4 s at the latest,
        AIServiceBusy.
        """
        patience = replace(self._patience, deadline_s=min(REWRITE_DEADLINE_S, self._patience.deadline_s))
        reply = await self._complete(Call("rewrite", rewrite_request(self.model, block), patience, user_id))
        return reply.text if reply.stop_reason == "end_turn" else ""

    async def adapt(self, request: dict[str, Any], feature: Feature, *, user_id: UserId | None) -> ClaudeReply:
        """Send the request for one section of a chapter, as it is. Raises NoMoney and AIServiceBusy as `answer` does,
        after 180 s at the latest."""
        return await self._complete(Call(feature, request, self._section_patience, user_id))

    async def foresee(self, requests: Sequence[dict[str, Any]], feature: Feature, *, user_id: UserId | None) -> None:
        """Raises NoMoney when there is not enough left to make all these calls of `adapt`."""
        calls = (Call(feature, request, self._section_patience, user_id) for request in requests)
        await self._budget.foresee([call.planned for call in calls])

    @property
    def _section_patience(self) -> Patience:
        return replace(self._patience, deadline_s=self._patience.section_deadline_s)

    async def _complete(self, call: Call) -> ClaudeReply:
        """The library's timeout is per read: only this one ends a reply that drips byte by byte."""
        try:
            async with asyncio.timeout(call.patience.deadline_s):
                with timed(self._telemetry, _STAGES[call.feature]):
                    reply = await self._with_retries(call)
        except TimeoutError:
            log.error("claude_deadline_passed", feature=call.feature, deadline_s=call.patience.deadline_s)
            raise AIServiceBusy from None
        if reply.stop_reason not in ("end_turn", "max_tokens", "refusal"):
            log.warning("claude_reply_incomplete", stop_reason=reply.stop_reason[:40], **_facts(call, reply))
            raise AIServiceBusy
        log.info("claude_answered", stop_reason=reply.stop_reason, **_facts(call, reply))
        return reply

    async def _with_retries(self, call: Call) -> ClaudeReply:
        started, client = time.monotonic(), await self.open_client()
        for attempt in range(MAX_RETRIES + 1):
            reservation = await self._budget.reserve(call.planned)
            try:
                return await self._attempt(client, call, reservation)
            except Exception as error:  # httpx2, JSON and attribute errors are no APIError, and are failures too
                failure = describe_failure(error)
            log.warning("claude_call_failed", feature=call.feature, attempt=attempt + 1, **asdict(failure))
            left_s = call.patience.deadline_s - (time.monotonic() - started)
            wait_s = _wait_before_retry(failure, attempt, call.patience)
            is_last = attempt == MAX_RETRIES or wait_s >= left_s or not call.may_begin_again
            if is_last or not failure.retryable:
                raise AIServiceBusy(retry_after_s=_retry_after_s(failure))
            await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, client: Any, call: Call, reservation: Reservation) -> ClaudeReply:
        """One try, settled however it ends."""
        heard = StreamedReply()
        try:
            reply = await (self._listen(client, call, heard) if call.listener else self._fetch(client, call))
        except BaseException as error:  # a reader who leaves cancels, and the call may be billed all the same
            request_id = heard.request_id or getattr(error, "request_id", None)
            if isinstance(error, Exception) and was_not_billed(error):
                reservation.settle("not_billed", request_id=request_id)
            else:
                reservation.settle("unknown", _known_usage(call, heard), request_id)
            raise
        if reply.usage.prompt_tokens:
            reservation.settle("complete", reply.usage, reply.request_id)
        else:  # it was answered, so it was not free
            reservation.settle("unknown", request_id=reply.request_id)
        return reply

    async def _fetch(self, client: Any, call: Call) -> ClaudeReply:
        started = time.monotonic()
        response = await client.messages.with_raw_response.create(**call.request, timeout=call.patience.deadline_s)
        payload = await response.json()
        return read_reply(payload, request_id=response.request_id, latency_ms=_ms_since(started))

    async def _listen(self, client: Any, call: Call, heard: StreamedReply) -> ClaudeReply:
        """The library does the HTTP and cuts the stream into events; what they say is read by us. Left early, the
        connection is closed."""
        from anthropic import AsyncStream

        assert call.listener
        call.listener.begin()
        started, has_begun = time.monotonic(), False
        async with client.messages.with_streaming_response.create(**call.request, stream=True) as response:
            heard.request_id = response.request_id
            async for record in AsyncStream[Any].raw_events(response.http_response):
                for part in heard.read(as_object(json.loads(record.data)) if record.data else {}):
                    if not has_begun:
                        has_begun = True
                        self._telemetry.took("first_token", time.monotonic() - started)
                    call.listener.hear(part)
        return heard.finish(latency_ms=_ms_since(started))

    async def open_client(self) -> Any:  # its overloads cannot follow a request built as a dict
        """The library's client, made once; for `claude_batches`."""
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._build_client)
        return self._client

    def _build_client(self) -> "AsyncAnthropic":
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(
            api_key=self._api_key,
            base_url=self._base_url,
            timeout=self._patience.deadline_s,
            max_retries=0,  # its retries obey Retry-After without a cap and repeat spend-limit errors
        )


def answer_request(model: str, question: str, passages: Sequence[Passage], user_id: UserId | None) -> dict[str, Any]:
    """The body of one question: fixed instructions in `system`, passages as citable search results, then
    the reader's words. Thinking is left at the model's default (adaptive); effort low keeps it short."""
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": MAX_ANSWER_TOKENS,
        "output_config": {"effort": "low"},
        "system": [
            {"type": "text", "text": load_prompt("answer").text, "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [*map(_search_result, passages), {"type": "text", "text": question}]}
        ],
    }
    if user_id is not None:
        request["metadata"] = {"user_id": opaque_id(user_id)}
    return request


def rewrite_request(model: str, block: str) -> dict[str, Any]:
    """The body of one rewrite: fixed instructions, then the reader's words; no thinking where that can be chosen."""
    off = next((kind for prefix, kind in _THINKING_OFF.items() if model.startswith(prefix)), None)
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": MAX_REWRITE_TOKENS if off else MAX_REWRITE_TOKENS_THINKING,
        "output_config": {"effort": "low"},
        "system": [{"type": "text", "text": load_prompt("rewrite").text}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": block}]}],
    }
    return request | ({"thinking": {"type": off}} if off else {})


def opaque_id(user_id: UserId) -> str:
    """A stable id that tells the provider readers apart, without an e-mail, a name or our own id."""
    return blake2b(str(user_id).encode(), digest_size=16, person=b"textbook-reader").hexdigest()


def _search_result(passage: Passage) -> dict[str, Any]:
    return {
        "type": "search_result",
        "source": passage.source,
        "title": passage.title,
        "content": [{"type": "text", "text": block} for block in passage.blocks],
        "citations": {"enabled": True},
    }


def _retry_after_s(failure: CallFailure) -> int:
    """What the caller is told: the API's own figure when it gave one."""
    if failure.retry_after_s is not None:
        return min(round(failure.retry_after_s + 0.5), LONGEST_RETRY_AFTER_S)
    return 5 if failure.retryable else PERMANENT_RETRY_AFTER_S


def _wait_before_retry(failure: CallFailure, attempt: int, patience: Patience) -> float:
    if failure.retry_after_s is not None:
        return failure.retry_after_s
    ceiling_s = min(patience.backoff_s * 2**attempt, BACKOFF_CAP_S)
    return random.uniform(0, ceiling_s)  # noqa: S311  # spreads load, guards no secret


def _known_usage(call: Call, heard: StreamedReply) -> Usage | None:
    """What a call that was not heard to its end has used at most, as far as it was told: how much was read, when it
    began to be written. How much was written shows only at its end, because thinking is not sent."""
    told = heard.usage
    if not told.prompt_tokens:
        return None
    return told if heard.is_told_whole else replace(told, output_tokens=call.request["max_tokens"])


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _facts(call: Call, reply: ClaudeReply) -> dict[str, object]:
    return {
        "feature": call.feature,
        "model": reply.model[:60],
        "claude_request_id": reply.request_id,
        "latency_ms": reply.latency_ms,
        "leaked_tags": reply.leaked_tags,
        **asdict(reply.usage),
    }
