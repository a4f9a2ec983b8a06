"""What a reader asks, in its thread -> what is searched for, and the question as it stands by itself.

Knows languages and conversations; must not know how the book is searched or what it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.app.models.domain import PastTurn, QuestionLanguage
from backend.app.services.reader_words import DEFAULT_QUESTION
from backend.app.services.retriever import SearchQuery


@dataclass(frozen=True, slots=True)
class Understood:
    """`question` is what the model is asked; it stands by itself, without the thread. `language` is the one to
    answer in."""

    question: str
    language: QuestionLanguage
    search: SearchQuery


class QueryRewriter:
    """One per process."""

    async def understand(self, question: str, selection: str, turns: Sequence[PastTurn]) -> Understood:
        """`turns`: the thread so far, oldest first. Its last two questions are searched along with this one."""
        own = "" if selection and question == DEFAULT_QUESTION else question
        joined = "\n".join([*(turn.question for turn in turns[-2:]), own]) if turns else ""
        forms = tuple(form for form in (own, joined) if form)
        return Understood(question, "en", SearchQuery(forms, selection))
