"""Claude as the product calls it, with an account of what it costs and what it claims.

Stops before the limit, not after it: a call is made only when even its dearest outcome fits into what is left.
"""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

from backend.app.errors import ConfigurationError, EvaluationError
from backend.app.models.domain import UserId
from backend.app.services.citations import find_quote
from backend.app.services.claude_budget import CallOutcome, PlannedTry, Reservation
from backend.app.services.claude_prices import MICROUSD, Price, find_price, price_table
from backend.app.services.claude_reply import ClaudeReply, Usage
from backend.app.services.claude_service import ClaudeService, ReplyListener
from backend.app.services.passages import Passage
from backend.app.utils.config import Settings

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
    """The budget of one run, in memory: a try is made only when even its dearest outcome fits into what is left."""

    def __init__(self, price: Price, limit_usd: Decimal) -> None:
        self._price = price
        self._limit_microusd = int(limit_usd * MICROUSD)
        self._held_microusd = 0
        self._settled = asyncio.Event()
        self.spent_microusd = 0

    def choose_model(self, preferred: str) -> str:
        return preferred

    async def reserve(self, planned: PlannedTry) -> Reservation:
        """Waits for tries that hold too much now; raises LimitReached when there is none."""
        most = self._price.cost_microusd(planned.dearest)
        while self.spent_microusd + self._held_microusd + most > self._limit_microusd:
            if not self._held_microusd:
                raise LimitReached
            self._settled.clear()
            await self._settled.wait()
        self._held_microusd += most
        return _Held(self, self._price, most, _trace.get())

    async def foresee(self, planned: Sequence[PlannedTry]) -> None:
        """Raises LimitReached."""
        most = sum(self._price.cost_microusd(each.dearest) for each in planned)
        if self.spent_microusd + self._held_microusd + most > self._limit_microusd:
            raise LimitReached

    def settle(self, held_microusd: int, cost_microusd: int) -> None:
        self._held_microusd -= held_microusd
        self.spent_microusd += cost_microusd
        self._settled.set()


@dataclass(frozen=True, slots=True)
class _Held:
    account: Account
    price: Price
    microusd: int
    trace: Trace | None

    def settle(
        self,
        outcome: CallOutcome,
        usage: Usage | None = None,
        request_id: str | None = None,  # noqa: ARG002
    ) -> None:
        cost = self.price.cost_microusd(usage) if usage else self.microusd
        if outcome == "not_billed":
            cost = 0
        self.account.settle(self.microusd, cost)
        if self.trace:
            self.trace.cost_microusd += cost


class WatchedClaude(ClaudeService):
    """ClaudeService, which notes what its citations are worth."""

    def __init__(self, settings: Settings, account: Account) -> None:
        """Raises ConfigurationError without a key."""
        if settings.anthropic_api_key is None:
            raise ConfigurationError(["ANTHROPIC_API_KEY: set it to measure with a model, or leave out --answers."])
        key = settings.anthropic_api_key.get_secret_value()
        super().__init__(key, settings.claude_model, base_url=settings.anthropic_base_url, budget=account)
        self.account = account

    async def answer(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        user_id: UserId | None = None,
        listener: ReplyListener | None = None,
    ) -> ClaudeReply:
        reply = await super().answer(question, passages, user_id=user_id, listener=listener)
        _note_citations(reply, passages)
        return reply


def open_account(settings: Settings, limit_usd: Decimal) -> Account:
    """Raises EvaluationError for a model whose price is not known."""
    price = find_price(settings.claude_model)
    if not limit_usd.is_finite():
        raise EvaluationError("--max-usd must be an amount of dollars.")
    if price is None:
        known = ", ".join(price_table().prices)
        raise EvaluationError(f"CLAUDE_MODEL={settings.claude_model}: its price is not known here (known: {known}).")
    return Account(price, limit_usd)


def _note_citations(reply: ClaudeReply, passages: Sequence[Passage]) -> None:
    trace = _trace.get()
    if trace is None:
        return
    by_source = {passage.source: passage for passage in passages}
    for citation in (citation for block in reply.blocks for citation in block.citations):
        passage = by_source.get(citation.source)
        trace.citations += 1
        trace.true_citations += bool(passage and find_quote(citation, passage))
