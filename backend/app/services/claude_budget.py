"""What a call to Claude has to do with money: it asks before each try, and tells afterwards what the try used.

Knows no prices and no limits: those are the budget's. Every own retry is a try: one that fails can cost as much as
one that answers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from backend.app.models.domain import UserId
from backend.app.services.claude_reply import Usage

Feature = Literal["answer", "rewrite", "translate", "personalize"]
CallOutcome = Literal["complete", "not_billed", "unknown"]
"""complete: the API told what was used. not_billed: it refused the request or never got it. unknown: the call was
cut, cancelled or came back unreadable, and may be billed."""
WhyNoMoney = Literal["day", "feature", "share", "unreachable"]

_HIDDEN_TOKENS = 1_000
"""What the API adds to a request by itself: the frame of its messages, the instructions for citing (about 300)."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class NoMoney(Exception):
    """The call must not be made. day: what is left of the day's money is too little; feature, share: of the part that
    this feature, or this reader, may have of it; unreachable: nobody can tell."""

    def __init__(self, why: WhyNoMoney) -> None:
        self.why: WhyNoMoney = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class PlannedTry:
    """`dearest` is more than the try can use; it is over after `deadline_s`. `user_id` is None for readers without a
    login, and where chapters are adapted, which needs one, for the owner of the site."""

    feature: Feature
    model: str
    prompt_version: str
    user_id: UserId | None
    dearest: Usage
    deadline_s: float


class Reservation(Protocol):
    """Leave for one try."""

    def settle(self, outcome: CallOutcome, usage: Usage | None = None, request_id: str | None = None) -> None:
        """The try is over. Without `usage` a try that may be billed counts as the dearest one. `request_id` is
        Claude's, None when no response came. To be called once; returns at once, never fails, and what it starts goes
        on when its caller is cancelled."""
        ...


class Budget(Protocol):
    """Who decides whether a try may be made."""

    def choose_model(self, preferred: str) -> str:
        """The model to ask now."""
        ...

    async def reserve(self, planned: PlannedTry) -> Reservation:
        """Raises NoMoney."""
        ...

    async def foresee(self, planned: Sequence[PlannedTry]) -> None:
        """Raises NoMoney when there is not enough left for all of these tries, of one feature and one reader. Holds
        nothing: what it found may be gone with the next try."""
        ...


class Unlimited:
    """Refuses nothing and notes what may cost money in the log: for calls that are free."""

    def choose_model(self, preferred: str) -> str:
        return preferred

    async def reserve(self, planned: PlannedTry) -> Reservation:
        return _Noted(planned)

    async def foresee(self, planned: Sequence[PlannedTry]) -> None:
        """There is always enough."""


@dataclass(frozen=True, slots=True)
class _Noted:
    planned: PlannedTry

    def settle(self, outcome: CallOutcome, usage: Usage | None = None, request_id: str | None = None) -> None:
        if outcome != "not_billed":
            used = usage or self.planned.dearest
            log.info(
                "claude_used",
                feature=self.planned.feature,
                model=self.planned.model[:60],
                claude_request_id=request_id,
                outcome=outcome,
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
            )


def dearest_usage(request: Mapping[str, Any]) -> Usage:
    """More than this request can use, whatever the tokenizer: a token is at least a byte of what is sent. Nothing of
    it counts as cached already; where a part is to be cached, all of it counts as written there, which is dearer."""
    body = json.dumps(request, ensure_ascii=False)
    tokens = len(body.encode("utf-8", "surrogatepass")) + _HIDDEN_TOKENS
    if '"cache_control"' in body:
        return Usage(cache_write_tokens=tokens, output_tokens=request["max_tokens"])
    return Usage(input_tokens=tokens, output_tokens=request["max_tokens"])
