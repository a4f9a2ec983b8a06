"""What calls to Claude used, told to whoever keeps account of it. Knows no prices.

Every try is told once, as soon as it is over: a try that fails can cost as much as one that answers.
"""

from typing import Literal, Protocol

import structlog

from backend.app.services.claude_reply import Usage

Feature = Literal["answer", "rewrite"]
CallOutcome = Literal["complete", "not_billed", "unknown"]
"""complete: `usage` is the API's own figure. not_billed: the API refused the request or never got it. unknown: the
call was cut, cancelled or came back unreadable, and may be billed; `usage` is an estimate."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Meter(Protocol):
    """Must not raise and must not wait: it is told while the event loop holds everybody else."""

    def record(
        self, feature: Feature, model: str, usage: Usage, request_id: str | None, outcome: CallOutcome
    ) -> None:
        """One try is over. `request_id` is Claude's, None when no response came."""
        ...


class LogMeter:
    """Notes what may cost money in the log."""

    def record(
        self, feature: Feature, model: str, usage: Usage, request_id: str | None, outcome: CallOutcome
    ) -> None:
        """One line for each try that may be billed."""
        if outcome != "not_billed":
            log.info(
                "claude_used",
                feature=feature,
                model=model[:60],
                claude_request_id=request_id,
                outcome=outcome,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
            )
