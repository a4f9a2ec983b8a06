"""Questions and answers as the API speaks them. Unknown fields are ignored: frontends send their own."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from backend.app.models.domain import Answer, ChatTurn, Outcome, RelatedSection, Source
from backend.app.models.text import SafeText, TrimmedText, is_storable

MAX_QUESTION_CHARS = 2_000
MAX_PAGE_CHARS = 2_000


def _text_or_nothing(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _page_or_nothing(value: object) -> str | None:
    """An address longer than browsers make them tells as little as none."""
    if isinstance(value, str) and is_storable(value) and len(value) <= MAX_PAGE_CHARS:
        return value.strip() or None
    return None


Question = Annotated[TrimmedText, Field(min_length=1, max_length=MAX_QUESTION_CHARS)]
ConversationId = Annotated[
    str | None,
    BeforeValidator(_text_or_nothing),
    Field(description="The id of an earlier answer, to stay in its thread. Any other value starts a new thread."),
]

Page = Annotated[
    str | None,
    BeforeValidator(_page_or_nothing),
    Field(
        description="The page that the reader is on: its address or chapter id, with #heading where that is known."
        " Marked text in other words, such as a translation, is taken for the section there. What cannot be used is"
        " ignored.",
        examples=["/docs/foundations/kinematics#ik"],
    ),
]


class Ask(BaseModel):
    """A question about the book."""

    question: Question = Field(description="1 to 2,000 characters, any script.", examples=["What is a ROS 2 node?"])
    selected_text: SafeText | None = Field(
        None, description="Text marked on the page, without markup; what exceeds 20,000 characters is cut off."
    )
    conversation_id: ConversationId = None
    page: Page = None


class AskAboutSelection(BaseModel):
    """A question about marked text."""

    selected_text: Annotated[TrimmedText, Field(min_length=1)] = Field(
        description="Text marked on the page; what exceeds 20,000 characters is cut off."
    )
    question: Annotated[TrimmedText, Field(max_length=MAX_QUESTION_CHARS)] | None = Field(
        None, description="Left out or empty: the passage is explained."
    )
    conversation_id: ConversationId = None
    page: Page = None


class CitedSource(BaseModel):
    """A passage that the answer cites."""

    chapter_id: str
    section: str
    similarity: float = Field(ge=0, le=1)
    title: str = Field(description="The chapter's title.")
    url: str = Field(description="Opens the page at the heading and marks the quote. Relative without SITE_URL.")
    quote: str = Field(description="Stands in the book word for word.")

    @classmethod
    def of(cls, source: Source) -> "CitedSource":
        """From the domain's shape."""
        return cls(
            chapter_id=source.chapter_id,
            section=source.section,
            similarity=source.similarity,
            title=source.title,
            url=source.url,
            quote=source.quote,
        )


class RelatedOut(BaseModel):
    """A section near a question that the book does not answer."""

    chapter_id: str
    section: str
    title: str = Field(description="The chapter's title.")
    url: str = Field(description="Opens the page at the section's heading. Relative without SITE_URL.")

    @classmethod
    def of(cls, related: RelatedSection) -> "RelatedOut":
        """From the domain's shape."""
        return cls(chapter_id=related.chapter_id, section=related.section, title=related.title, url=related.url)


_ANSWERED: dict[str, Any] = {
    "answer": "A ROS 2 node is a process that does one job.",
    "sources": [
        {
            "chapter_id": "ros/nodes",
            "section": "Nodes",
            "similarity": 0.71,
            "title": "ROS 2 Nodes",
            "url": "https://book.example/docs/ros/nodes#nodes:~:text=A%20node%20is%20a%20process",
            "quote": "A node is a process that does one job.",
        }
    ],
    "response_time": 0.84,
    "grounded": True,
    "outcome": "answered",
    "related": [],
    "mode": "claude",
    "conversation_id": "5f0c1f0e-7c1b-4c62-9d0f-0f6f3b0f9a11",
    "warning": None,
}
_NOT_IN_BOOK: dict[str, Any] = _ANSWERED | {
    "answer": "I don't have this information in the book.",
    "sources": [],
    "grounded": False,
    "outcome": "not_in_book",
    "related": [
        {
            "chapter_id": "ros/topics",
            "section": "Topics",
            "title": "ROS 2 Topics",
            "url": "https://book.example/docs/ros/topics#topics",
        }
    ],
}


class AnswerOut(BaseModel):
    """An answer that the book supports, or the sentence that it does not."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWERED, _NOT_IN_BOOK]})

    answer: str
    sources: list[CitedSource] = Field(description="Only cited passages, in the order of first citation.")
    response_time: float = Field(description="Seconds.")
    grounded: bool = Field(description="Whether at least one citation was verified.")
    outcome: Outcome = Field(
        description="partial: the book answers a part, and `answer` says what it leaves open."
        " not_in_book: `answer` is the one refusal."
    )
    related: list[RelatedOut] = Field(description="The nearest sections, when the book does not answer; else empty.")
    mode: Literal["claude", "extractive"] = Field(
        description="extractive: no AI model is configured, or the day's money for it is used up."
    )
    conversation_id: UUID = Field(description="Send it with the next question: that one may refer to this one.")
    warning: str | None = Field(None, description="The answer is good, something beside it failed.")

    @classmethod
    def of(cls, answer: Answer) -> "AnswerOut":
        """From the domain's shape."""
        return cls(
            answer=answer.text,
            sources=[CitedSource.of(source) for source in answer.sources],
            response_time=answer.response_time_s,
            grounded=answer.grounded,
            outcome=answer.outcome,
            related=[RelatedOut.of(section) for section in answer.related],
            mode="extractive" if answer.mode == "extractive" else "claude",
            conversation_id=answer.conversation_id,
            warning=answer.warning,
        )


class Turn(BaseModel):
    """One question of the past."""

    id: int
    conversation_id: UUID
    question: str
    answer: str
    sources: list[CitedSource]
    grounded: bool
    outcome: Outcome
    created_at: datetime

    @classmethod
    def of(cls, turn: ChatTurn) -> "Turn":
        """From the domain's shape."""
        return cls(
            id=turn.turn_id,
            conversation_id=turn.conversation_id,
            question=turn.question,
            answer=turn.answer,
            sources=[CitedSource.of(source) for source in turn.sources],
            grounded=turn.outcome != "not_in_book",
            outcome=turn.outcome,
            created_at=turn.created_at,
        )


class History(BaseModel):
    """The reader's own questions, newest first."""

    history: list[Turn]


class Deleted(BaseModel):
    """How many questions were deleted."""

    deleted: int
