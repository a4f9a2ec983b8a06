"""Claude as the product calls it, with an account of what it costs and what it claims.

Stops before the limit, not after it: a call is made only when even its dearest outcome fits into what is left.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

from backend.app.errors import ConfigurationError, EvaluationError
from backend.app.services.citations import find_quote
from backend.app.services.claude_meter import CallOutcome, Feature
from backend.app.services.claude_prices import MICROUSD, Price, find_price, price_table
from backend.app.services.claude_reply import ClaudeReply, Usage
from backend.app.services.claude_service import MAX_ANSWER_TOKENS, ClaudeService, ReplyListener
from backend.app.services.passages import MAX_PASSAGE_TOKENS, Passage, estimate_tokens
from backend.app.utils.config import Settings

_FIXED_TOKENS = 4_000  # instructions, the thread and the frame of citations, generously
CONCURRENT = 4
"""Questions in the air at once."""


class LimitReached(Exception):
    """The next call might cost more than is left."""


@dataclass
class Trace:
    """What one question cost and claimed so far."""

    cost_microusd: int = 0
    citations: int = 0
    true_citations: int = 0


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


def begin_trace() -> Trace:
    """From here on, calls of this task (and of those that it starts) are noted in what is returned."""
    trace = Trace()
    _trace.set(trace)
    return trace


class Account:
    """The meter that ClaudeService tells what each try used."""

    def __init__(self, price: Price, limit_usd: Decimal) -> None:
        self._price = price
        self._limit_microusd = int(limit_usd * MICROUSD)
        self._held_microusd = 0
        self._settled = asyncio.Condition()
        self.spent_microusd = 0

    def record(
        self,
        feature: Feature,  # noqa: ARG002
        model: str,  # noqa: ARG002
        usage: Usage,
        request_id: str | None,  # noqa: ARG002
        outcome: CallOutcome,
    ) -> None:
        cost = 0 if outcome == "not_billed" else self._price.cost_microusd(usage)
        self.spent_microusd += cost
        trace = _trace.get()
        if trace:
            trace.cost_microusd += cost

    @asynccontextmanager
    async def room_for(self, dearest: Usage) -> AsyncGenerator[None]:
        """Holds back what a call may cost at most while it runs. Waits for calls that hold back too much now; raises
        LimitReached when there is none."""
        most = self._price.cost_microusd(dearest)
        async with self._settled:
            while self.spent_microusd + self._held_microusd + most > self._limit_microusd:
                if not self._held_microusd:
                    raise LimitReached
                await self._settled.wait()
            self._held_microusd += most
        try:
            yield
        finally:
            self._held_microusd -= most
            async with self._settled:
                self._settled.notify_all()


class WatchedClaude(ClaudeService):
    """ClaudeService, which asks its account first and notes which citations are true."""

    def __init__(self, settings: Settings, account: Account) -> None:
        """Raises ConfigurationError without a key."""
        if settings.anthropic_api_key is None:
            raise ConfigurationError(["ANTHROPIC_API_KEY: set it to measure with a model, or leave out --answers."])
        key = settings.anthropic_api_key.get_secret_value()
        super().__init__(key, settings.claude_model, base_url=settings.anthropic_base_url, meter=account)
        self.account = account

    async def answer(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        reader_key: str | None = None,
        listener: ReplyListener | None = None,
    ) -> ClaudeReply:
        text = sum(estimate_tokens(passage.text) for passage in passages)
        async with self.account.room_for(_dearest(text + estimate_tokens(question))):
            reply = await super().answer(question, passages, reader_key=reader_key, listener=listener)
        _note_citations(reply, passages)
        return reply

    async def rewrite(self, block: str) -> str:
        async with self.account.room_for(_dearest(estimate_tokens(block))):
            return await super().rewrite(block)


def open_account(settings: Settings, limit_usd: Decimal) -> Account:
    """Raises EvaluationError for a model whose price is not known."""
    price = find_price(settings.claude_model)
    if not limit_usd.is_finite():
        raise EvaluationError("--max-usd must be an amount of dollars.")
    if price is None:
        known = ", ".join(price_table().prices)
        raise EvaluationError(f"CLAUDE_MODEL={settings.claude_model}: its price is not known here (known: {known}).")
    return Account(price, limit_usd)


def _dearest(prompt_tokens: int) -> Usage:
    return Usage(input_tokens=_FIXED_TOKENS + max(prompt_tokens, MAX_PASSAGE_TOKENS), output_tokens=MAX_ANSWER_TOKENS)


def _note_citations(reply: ClaudeReply, passages: Sequence[Passage]) -> None:
    trace = _trace.get()
    if trace is None:
        return
    by_source = {passage.source: passage for passage in passages}
    for citation in (citation for block in reply.blocks for citation in block.citations):
        passage = by_source.get(citation.source)
        trace.citations += 1
        trace.true_citations += bool(passage and find_quote(citation, passage))
