"""Questions through the real `AnswerService` with a model, as anonymous readers ask them -> what they got.

A question that the gate refuses costs nothing here either. When the money is used up the rest is left unasked.
"""

import time
from collections.abc import Callable, Sequence

from backend.app.errors import AIServiceBusy, EvaluationError
from backend.app.evaluation.observed import Answered
from backend.app.evaluation.questions import Question
from backend.app.evaluation.spending import CONCURRENT, begin_trace
from backend.app.evaluation.threads import begin_thread
from backend.app.evaluation.workers import side_by_side
from backend.app.services.answer_service import AnswerService, Asked

_TRIED_IN_VAIN = 5


async def answer_all(
    answers: AnswerService, questions: Sequence[Question], progress: Callable[[int, int], None] | None = None
) -> list[Answered | None]:
    """In the order given; None for what was not asked any more. Raises EvaluationError when the model fails for
    several questions in a row: it is then not the questions that are measured."""
    failures = 0

    async def ask(question: Question) -> Answered:
        nonlocal failures
        if failures >= _TRIED_IN_VAIN:
            raise EvaluationError(
                f"Claude failed for {_TRIED_IN_VAIN} questions in a row. What to fix: python -m backend doctor"
            )
        answered = await _ask(answers, question)
        failures = failures + 1 if answered.outcome == "failed" else 0
        return answered

    return await side_by_side(questions, ask, CONCURRENT, progress)


async def _ask(answers: AnswerService, question: Question) -> Answered:
    trace = begin_trace()
    started = time.perf_counter()
    try:
        thread = await begin_thread(answers, question.turns)
        trace, started = begin_trace(), time.perf_counter()
        answer = await answers.ask(Asked(question.text, question.selected_text or None, thread))
    except AIServiceBusy:
        outcome, keywords = "failed", None
    else:
        outcome, keywords = answer.outcome, _keywords(question, answer.text) if answer.grounded else None
    return Answered(
        outcome=outcome,
        citations=trace.citations,
        true_citations=trace.true_citations,
        keywords=keywords,
        cost_microusd=trace.cost_microusd,
        seconds=time.perf_counter() - started,
    )


def _keywords(question: Question, text: str) -> float | None:
    if not question.keywords:
        return None
    said = text.casefold()
    return sum(any(word.casefold() in said for word in group) for group in question.keywords) / len(question.keywords)
