"""A reply that is there as a whole, checked as one that is heard in parts."""

from collections.abc import Sequence

from backend.app.models.domain import QuestionLanguage
from backend.app.services.citations import AnswerCheck, CheckedAnswer, parts_of
from backend.app.services.claude_reply import ClaudeReply
from backend.app.services.passages import Passage


def check_answer(
    reply: ClaudeReply,
    passages: Sequence[Passage],
    question: str = "",
    language: QuestionLanguage = "en",
    *,
    cut_short: bool = False,
) -> CheckedAnswer | None:
    """A whole reply at once: what is true of it, None when no true citation is left."""
    check = AnswerCheck(passages, question, language)
    for part in parts_of(reply):
        check.hear(part)
    check.finish(cut_short=cut_short)
    return check.checked()
