"""One section of a chapter, written by Claude: asked, checked, asked a second time with what was wrong, and kept.

Knows how often a section is tried and what its money is called. Decides nothing about a text: that is the task's.
Nothing but an accepted reply is ever stored.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from backend.app.adaptation.requests import retry_request
from backend.app.errors import AppError, BudgetExhausted, DatabaseUnavailable
from backend.app.models.adaptation import KeptReply
from backend.app.models.domain import UserId
from backend.app.services.adaptation_plan import Plan, PlannedPiece, Reviewed, Written, review
from backend.app.services.adaptation_records import AdaptationRecords
from backend.app.services.adaptation_tasks import FAILURES, FEATURES
from backend.app.services.claude_budget import NoMoney, WhyNoMoney
from backend.app.services.claude_prices import find_price
from backend.app.services.claude_reply import ClaudeReply
from backend.app.services.claude_service import ClaudeService

TRIES = 2
_CUT = "It was too long and is cut off."
_REFUSED = "It refuses. The piece is an ordinary part of a textbook, and nothing in it asks you for anything."

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ReaderShareUsedUp(BudgetExhausted):
    """One reader's part of the day's money: others may still have theirs."""

    default_detail = "Your share of today's budget for this is used up. Please try again after midnight UTC."


class SectionWriter:
    """`user_id` says whose share of the money a call counts in; None: the owner's."""

    def __init__(self, claude: ClaudeService, db: AdaptationRecords, concurrent: int) -> None:
        """`concurrent`: calls at once of all chapters together."""
        self._claude = claude
        self._db = db
        self._slots = asyncio.Semaphore(concurrent)

    async def foresee(self, plan: Plan, pieces: Sequence[PlannedPiece], user_id: UserId | None) -> None:
        """Raises BudgetExhausted when what these pieces may cost is more than is left today."""
        requests = [planned.request for planned in pieces if planned.request]
        try:
            await self._claude.foresee(requests, FEATURES[plan.order.target.kind], user_id=user_id)
        except NoMoney as refused:
            raise _no_money(refused.why) from refused

    async def write(self, plan: Plan, planned: PlannedPiece, user_id: UserId | None) -> Written:
        """Raises what the chapter fails with: two tries that were not accepted, no money, no answer."""
        assert planned.request
        request, cost_microusd = planned.request, 0
        for _ in range(TRIES):
            reply = await self._ask(plan, request, user_id)
            cost_microusd += cost_of(reply, request["model"])
            reviewed = await asyncio.to_thread(review_reply, plan, planned, reply)
            if not reviewed.problems:
                await self._keep(plan, planned, reply, cost_microusd)
                return Written(reviewed.text, cost_microusd)
            _tell_refused(plan, planned, reviewed)
            said = "" if reply.stop_reason == "refusal" else reply.text
            request = retry_request(planned.request, said, reviewed.problems)
        raise FAILURES[plan.order.target.kind]

    async def _ask(self, plan: Plan, request: dict[str, Any], user_id: UserId | None) -> ClaudeReply:
        async with self._slots:
            try:
                return await self._claude.adapt(request, FEATURES[plan.order.target.kind], user_id=user_id)
            except NoMoney as refused:
                raise _no_money(refused.why) from refused

    async def _keep(self, plan: Plan, planned: PlannedPiece, reply: ClaudeReply, cost_microusd: int) -> None:
        kept = KeptReply(reply.text, cost_microusd)
        await self._db.save_section(planned.key, plan.order.target, plan.recipe, kept, reply.stop_reason)


def review_reply(plan: Plan, planned: PlannedPiece, reply: ClaudeReply) -> Reviewed:
    """A reply that is not complete is wrong, whatever it says."""
    if reply.stop_reason != "end_turn":
        return Reviewed("", (_REFUSED if reply.stop_reason == "refusal" else _CUT,))
    return review(plan.task, planned, reply.text)


def _tell_refused(plan: Plan, planned: PlannedPiece, reviewed: Reviewed) -> None:
    """Problems quote the text: of a reader's own text only their number is told."""
    order = plan.order
    problems = [problem[:200] for problem in reviewed.problems]
    log.warning(
        "section_refused",
        chapter_id=order.chapter.chapter_id,
        target=order.target.variant,
        section=planned.index,
        problems=len(problems) if order.is_own_text else problems,
    )


def cost_of(reply: ClaudeReply, model: str) -> int:
    """0 for a model without a price, which only a process without a budget may ask."""
    price = find_price(model)
    return price.cost_microusd(reply.usage) if price else 0


def _no_money(why: WhyNoMoney) -> AppError:
    match why:
        case "unreachable":
            return DatabaseUnavailable()
        case "share":
            return ReaderShareUsedUp()
        case _:
            return BudgetExhausted()
