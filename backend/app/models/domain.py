"""The shapes that services exchange: plain frozen dataclasses, no web framework, no database types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NewType
from uuid import UUID

ChapterId = NewType("ChapterId", str)
"""A Docusaurus document id: "module-1/intro" (number prefixes already stripped)."""

UserId = NewType("UserId", int)
Level = Literal["beginner", "intermediate", "advanced"]
Hardware = Literal["none", "gpu", "jetson", "robotics"]
AnswerMode = Literal["claude", "extractive", "refused"]
"""How a turn is stored. An `Answer` names who answered, also when it refuses, and says beside it if it holds."""
Outcome = Literal["answered", "partial", "not_in_book"]
QuestionLanguage = Literal["en", "ur", "ur-Latn", "other"]
"""BCP 47: English, Urdu in its own script, Roman Urdu; "other" is any other script or language."""
WhyUnanswered = Literal["gate", "model", "citations", "refused"]
"""Nothing found was evidence; the model said that it is not there; no citation held; the model declined."""


@dataclass(frozen=True, slots=True)
class ChapterSummary:
    """A chapter as the table of contents shows it. `position` counts from 0 in reading order."""

    chapter_id: ChapterId
    title: str
    url: str
    module: str
    position: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A whole chapter. `content` is its Markdown without front matter; `content_hash` the sha256 hex of the
    content together with title, url, module and position; `source_path` is relative to the docs folder;
    `front_matter` is the block above the content, its fences with it (None: ingested before it was kept)."""

    chapter_id: ChapterId
    title: str
    url: str
    module: str
    position: int
    content: str
    content_hash: str
    source_path: str
    front_matter: str | None = None


@dataclass(frozen=True, slots=True)
class ChapterChanges:
    """How many stored chapters a new version of the book added, changed, removed and left as they were."""

    added: int
    changed: int
    removed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A retrieval unit: a piece of one section that the embedder reads whole (<= 256 word pieces with its path).

    `text` is verbatim Markdown of the book; `heading_path` starts with the chapter's title; `anchor` is the
    heading's id ("" = top of the page); `url` is the route of the page without the anchor; `position` counts
    chunks of the whole book from 0; `content_hash` is the sha256 hex of `embedding_text`; `words` is the text as the
    page shows it ("": nothing in the text is markup).
    """

    chapter_id: ChapterId
    section: str
    heading_path: tuple[str, ...]
    anchor: str
    url: str
    title: str
    text: str
    position: int
    content_hash: str
    words: str = ""

    @property
    def embedding_text(self) -> str:
        """What is embedded and what the lexical index sees: the heading path, then the words of the text."""
        return f"{' > '.join(self.heading_path)}\n{self.words or self.text}"


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A hit. `score` is the fused score in 0..1, `dense` the cosine, `lexical` the raw BM25 (0 = no term)."""

    chunk: Chunk
    score: float
    dense: float
    lexical: float


MANIFEST_FORMAT = 1
"""Part of every index's content: an index whose manifest has another format has to be built again."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ingest learnt of the whole book, kept with its index as JSON. Each field has one module that writes and
    reads it (`gate`: `textbook.calibration`); empty means that nothing was learnt."""

    gate: Mapping[str, Any] = field(default_factory=dict[str, Any])
    vocabulary: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Reader:
    """A signed-in reader, as every protected endpoint gets it."""

    user_id: UserId
    email: str
    name: str
    level: Level
    hardware: Hardware
    token_version: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """What login compares: the reader and the stored password hash."""

    reader: Reader
    password_hash: str


@dataclass(frozen=True, slots=True)
class Source:
    """A cited passage. `url` deep-links to the sentence; `quote` stands verbatim in the book."""

    chapter_id: ChapterId
    section: str
    similarity: float
    title: str
    url: str
    quote: str


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One saved question with its answer."""

    turn_id: int
    conversation_id: UUID
    question: str
    answer: str
    sources: tuple[Source, ...]
    mode: AnswerMode
    outcome: Outcome
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PastTurn:
    """What a later question of the same thread may refer to."""

    question: str
    answer: str
    sources: tuple[Source, ...]
    outcome: Outcome = "answered"


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A reader's thread. `updated_at` is the time of its last turn; `turns` counts them."""

    conversation_id: UUID
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int


@dataclass(frozen=True, slots=True)
class ChapterMark:
    """What a reader did with a chapter: opened it, last at `last_accessed`, and perhaps completed it."""

    chapter_id: ChapterId
    completed: bool
    last_accessed: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole book in reading order as one reader knows it: each chapter with its mark, None when it was never
    opened. `questions_asked` counts the reader's saved questions that the book answered, in part or in full."""

    chapters: tuple[tuple[ChapterSummary, ChapterMark | None], ...]
    questions_asked: int


@dataclass(frozen=True, slots=True)
class Account:
    """What a reader gets to take away of the own account."""

    user_id: UserId
    email: str
    name: str
    level: Level
    hardware: Hardware
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ClaudeCall:
    """One try of a call to Claude in the ledger: what it was held to cost at most and what it cost, in millionths of
    a dollar; `settled_at` None: it still runs, or its process is gone."""

    id: int
    started_at: datetime
    settled_at: datetime | None
    feature: str
    model: str
    prompt_version: str
    outcome: str
    reserved_microusd: int
    cost_microusd: int
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    claude_request_id: str | None


@dataclass(frozen=True, slots=True)
class UnansweredQuestion:
    """A question that the book does not answer, or only in part, and the passage nearest to it. Says nothing of who
    asked."""

    question: str
    language: QuestionLanguage
    outcome: Outcome
    reason: WhyUnanswered
    best_score: float | None
    nearest: Chunk | None


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One wording of what the book does not answer: it came `asked` times, and `partial` of them there was an answer
    to a part."""

    text: str
    language: QuestionLanguage
    asked: int
    partial: int


@dataclass(frozen=True, slots=True)
class UnansweredSection:
    """What was asked near one section and not answered: `asked` times, `partial` of them answered in part;
    `newest_at` to the hour; `questions` are different wordings, the most frequent first."""

    chapter_id: ChapterId | None
    anchor: str | None
    section: str | None
    asked: int
    partial: int
    newest_at: datetime
    questions: tuple[OpenQuestion, ...]


@dataclass(frozen=True, slots=True)
class RelatedSection:
    """A section near the question; `url` opens the page at its heading."""

    chapter_id: ChapterId
    section: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader gets. `mode` is who answered ("claude" or "extractive"), also for a refusal; a refusal has the
    outcome "not_in_book", its one sentence as `text`, no sources, and the nearest sections as `related`."""

    text: str
    sources: tuple[Source, ...]
    outcome: Outcome
    related: tuple[RelatedSection, ...]
    mode: AnswerMode
    conversation_id: UUID
    response_time_s: float
    warning: str | None = None

    @property
    def grounded(self) -> bool:
        """Whether at least one citation held."""
        return self.outcome != "not_in_book"


@dataclass(frozen=True, slots=True)
class Hit:
    """A moving window as a request found it that asked to enter: `entry` takes it back, None means that it did not
    enter; `used` counts everything that lies in the window, of which the oldest leaves it in `frees_in_s`."""

    entry: Any
    used: int
    frees_in_s: float
