"""What comes of a question: words of a model that were proven, passages of the book word for word, or the sentence
that the book does not have it. Knows what a reader is told beside it, and nothing of who asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from backend.app.errors import AIServiceBusy
from backend.app.models.domain import AnswerMode, Outcome, QuestionLanguage, WhyUnanswered
from backend.app.services.answer_events import CheckedListener
from backend.app.services.citations import AnswerCheck, CheckedAnswer
from backend.app.services.claude_budget import WhyNoMoney
from backend.app.services.claude_reply import ClaudeReply
from backend.app.services.extractive import quote_passages
from backend.app.services.outcomes import NOT_IN_THE_BOOK, says_not_in_the_book
from backend.app.services.passages import Passage

CUT_SHORT = "The answer was too long and ends early."
QUOTED_INSTEAD: dict[WhyNoMoney, str] = {
    "day": "Today's budget for written answers is used up, so this one quotes the book. More at midnight UTC.",
    "feature": "Today's budget for written answers is used up, so this one quotes the book. More at midnight UTC.",
    "share": "Your share of today's written answers is used up, so this one quotes the book. More at midnight UTC.",
    "unreachable": "Written answers are not available at the moment, so this one quotes the book.",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`checked` None: the book does not have it, and `reason` says how that is known; a part that is left open is
    named by the model."""

    checked: CheckedAnswer | None
    mode: AnswerMode
    warning: str | None = None
    reason: WhyUnanswered | None = None

    @property
    def text(self) -> str:
        return self.checked.text if self.checked else NOT_IN_THE_BOOK

    @property
    def outcome(self) -> Outcome:
        if self.checked is None:
            return "not_in_book"
        return "partial" if self.checked.leaves_open else "answered"


def verdict_of_passages(
    passages: Sequence[Passage], language: QuestionLanguage, mode: AnswerMode, *, no_money: WhyNoMoney | None = None
) -> Verdict:
    """Without a model. `no_money`: why there is none this time; the reader is told."""
    warning = QUOTED_INSTEAD[no_money] if no_money else None
    quoted = quote_passages(passages, language, has_model=no_money is not None)
    return Verdict(quoted, mode, warning, None if quoted else "gate")


def verdict_of_reply(reply: ClaudeReply, check: AnswerCheck, listener: CheckedListener | None = None) -> Verdict:
    """`check` has heard all of the reply; `listener` is who was told meanwhile, and is told the last words.

    Refusals and the model's own "not in the book" are verdicts; an answer of which nothing cited is complete is a
    failure, because the book may well hold it. Raises AIServiceBusy.
    """
    cut_short = reply.stop_reason == "max_tokens"
    if reply.stop_reason == "refusal" and listener and listener.has_told:
        raise AIServiceBusy  # what was shown cannot be taken back, and is no answer
    if reply.stop_reason == "refusal":
        return Verdict(None, "claude", reason="refused")
    if says_not_in_the_book(reply.text):
        return Verdict(None, "claude", reason="model")
    last_words = check.finish(cut_short=cut_short)
    if listener:
        listener.pass_on(last_words)
    checked = check.checked()
    log.info("citations_checked", valid_sources=len(checked.quotes) if checked else 0, dropped=check.dropped)
    if checked is None and cut_short:
        raise AIServiceBusy
    if checked is None:
        return Verdict(None, "claude", reason="citations")
    return Verdict(checked, "claude", CUT_SHORT if cut_short else None)
