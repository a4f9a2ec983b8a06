"""What is asked and what would be right: the shapes of a question set, independent of its file format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backend.app.models.domain import PastTurn

View = Literal["alone", "thread", "standalone"]
"""How a question is put: by itself, as the last turn of its conversation, or rewritten to stand by itself."""
GoldMode = Literal["any", "all", "share"]
"""Of several golds: one is enough, all are needed, or each counts for its part."""


@dataclass(frozen=True, slots=True)
class Gold:
    """Where the answer stands: a page (a file of the docs folder or the id of a passage) and words on it. Without
    words the page itself is what must be found."""

    page: str
    heading: str = ""
    must_contain: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question in one view. `turns`: the thread before it, oldest first; answers that the file does not give
    are "". `keywords`: each group is met by any of its words."""

    question_id: str
    view: View
    kind: str
    lang: str
    text: str
    answerable: bool
    gold: tuple[Gold, ...]
    gold_mode: GoldMode = "any"
    selected_text: str = ""
    turns: tuple[PastTurn, ...] = ()
    keywords: tuple[tuple[str, ...], ...] = ()

    @property
    def key(self) -> str:
        """Unique in a set."""
        return f"{self.question_id}/{self.view}"


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """`name` and `sha256` say which file it was; `questions` in the order of the file."""

    name: str
    sha256: str
    questions: tuple[Question, ...]

    def pages(self) -> list[str]:
        """Every page that a gold names, each once, in the order of the file."""
        return list(dict.fromkeys(gold.page for question in self.questions for gold in question.gold))


def is_near_domain(question: Question) -> bool:
    """On the book's subject, but not in the book."""
    return not question.answerable and not is_off_topic(question)


def is_off_topic(question: Question) -> bool:
    return question.kind.startswith("off_topic")


def views(questions: Sequence[Question]) -> list[View]:
    """The views that occur, in their order of first occurrence."""
    return list(dict.fromkeys(question.view for question in questions))
