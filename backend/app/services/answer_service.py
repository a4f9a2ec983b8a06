"""A question -> an answer that the book supports, or the sentence that says it does not.

Embed, search, gate, ask, check the citations, remember. Each rule has its own module; this one is their order.
Knows neither HTTP nor SQL.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal
from uuid import UUID, uuid4

import structlog

from backend.app.errors import AIServiceBusy, AppError
from backend.app.models.domain import Answer, AnswerMode, ChatTurn, Chunk, Reader, ScoredChunk, Source
from backend.app.services.citations import CheckedAnswer, Quote, check_answer
from backend.app.services.claude_reply import ClaudeReply
from backend.app.services.claude_service import ClaudeService
from backend.app.services.db_service import DBService
from backend.app.services.deep_links import deep_link
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.extractive import quote_passages
from backend.app.services.gate import is_answerable, relevant
from backend.app.services.inert_markdown import make_inert
from backend.app.services.passages import Passage, pack
from backend.app.services.qdrant_service import QdrantService
from backend.app.services.reader_words import DEFAULT_QUESTION, question_block
from backend.app.services.selection import find_marked_chunks, search_words, trim_selection
from backend.app.utils.config import Settings

NOT_IN_THE_BOOK = "I don't have this information in the book."
NOT_SAVED = "Could not save chat history."
CUT_SHORT = "The answer was too long and ends early."
_HITS = 10
_CANDIDATE_CHAPTERS = 3

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader sends. `conversation_id` is whatever the client keeps; only our own ids mean something."""

    question: str
    selected_text: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the book has on the question. No passages: nothing, so no model is asked."""

    passages: tuple[Passage, ...]
    question_block: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    checked: CheckedAnswer | None
    warning: str | None = None


class AnswerService:
    """Answers from the book. `claude` is None when no key is configured: answers are then quotations."""

    def __init__(
        self,
        settings: Settings,
        embedder: EmbeddingService,
        index: QdrantService,
        claude: ClaudeService | None,
        db: DBService,
    ) -> None:
        self._site_url = settings.site_url
        self._threshold = settings.retrieval_threshold
        self._embedder = embedder
        self._index = index
        self._claude = claude
        self._db = db

    @property
    def mode(self) -> AnswerMode:
        """Who produces the answers."""
        return "claude" if self._claude else "extractive"

    async def ask(self, asked: Asked, reader: Reader | None = None) -> Answer:
        """Answer one question; a signed-in reader's turn is saved.

        Raises SearchUnavailable, BookNotIngested, AIServiceBusy. A failing database costs the history, not the
        answer.
        """
        started = time.perf_counter()
        evidence = await self._gather(asked.question, trim_selection(asked.selected_text))
        verdict = await self._judge(evidence, reader)
        answer = self._compose(verdict)
        conversation_id, saved = await self._remember(asked, answer, reader)
        seconds = round(time.perf_counter() - started, 3)
        warning = verdict.warning if saved else NOT_SAVED
        return Answer(answer.text, answer.sources, answer.grounded, self.mode, conversation_id, seconds, warning)

    async def list_history(self, reader: Reader, limit: int) -> list[ChatTurn]:
        """Newest first."""
        return await self._db.list_turns(reader.user_id, limit)

    async def delete_history(self, reader: Reader) -> int:
        """Returns how many turns there were."""
        return await self._db.delete_turns(reader.user_id)

    # --- evidence

    async def _gather(self, question: str, selection: str) -> _Evidence:
        """Search with the question and, when text is marked, with its beginning; place the marked text."""
        queries = [query for query in (_own_question(question, selection), search_words(selection)) if query]
        vectors = await self._embedder.embed(queries)
        found = await asyncio.gather(
            *(self._index.search(vector, query, limit=_HITS) for vector, query in zip(vectors, queries, strict=True))
        )
        marked = await self._find_marked(selection, found[-1]) if selection else []
        hits = _best_first(chain.from_iterable(found))
        if not marked and not any(
            is_answerable(hits, query, self._threshold) for hits, query in zip(found, queries, strict=True)
        ):
            return _Evidence((), "")
        if self._claude is None:
            hits = relevant(hits, queries, self._threshold)
        origin: Literal["book", "reader"] = "book" if marked else "reader"
        passages = pack([*_as_hits(marked, hits), *hits])
        return _Evidence(passages, question_block(question, selection, origin=origin))

    async def _find_marked(self, selection: str, hits: Sequence[ScoredChunk]) -> list[Chunk]:
        chapters = list(dict.fromkeys(hit.chunk.chapter_id for hit in hits))[:_CANDIDATE_CHAPTERS]
        for chapter_id in chapters:
            marked = find_marked_chunks(selection, await self._index.chapter_chunks(chapter_id))
            if marked:
                return marked
        return []

    # --- answer

    async def _judge(self, evidence: _Evidence, reader: Reader | None) -> _Verdict:
        if not evidence.passages:
            return _Verdict(None)
        if self._claude is None:
            return _Verdict(quote_passages(evidence.passages))
        reader_key = str(reader.user_id) if reader else None
        reply = await self._claude.answer(evidence.question_block, evidence.passages, reader_key=reader_key)
        return _checked(reply, evidence.passages)

    def _compose(self, verdict: _Verdict) -> "_Composed":
        if verdict.checked is None:
            return _Composed(NOT_IN_THE_BOOK, (), grounded=False)
        sources = tuple(map(self._source, verdict.checked.quotes))
        return _Composed(verdict.checked.text, sources, grounded=True)

    def _source(self, quote: Quote) -> Source:
        hit = quote.passage.hit
        return Source(
            chapter_id=hit.chunk.chapter_id,
            section=hit.chunk.section,
            similarity=round(min(max(hit.score, 0.0), 1.0), 4),
            title=hit.chunk.title,
            url=deep_link(hit.chunk, quote.text, self._site_url),
            quote=quote.text,
        )

    # --- memory

    async def _remember(self, asked: Asked, answer: "_Composed", reader: Reader | None) -> tuple[UUID, bool]:
        """The thread's id, and whether all that should be saved was. Anonymous turns leave nothing behind."""
        fresh = uuid4()
        if reader is None:
            return fresh, True
        try:
            conversation_id = await self._own_conversation(asked.conversation_id, reader) or fresh
            mode = self.mode if answer.grounded else "refused"
            await self._db.save_turn(
                reader.user_id, conversation_id, asked.question, answer.text, answer.sources, mode
            )
        except AppError as failure:
            log.warning("chat_history_not_saved", code=failure.code)
            return fresh, False
        return conversation_id, True

    async def _own_conversation(self, claimed: str | None, reader: Reader) -> UUID | None:
        try:
            conversation_id = UUID(claimed)
        except (ValueError, TypeError, AttributeError):  # other frontends send "chat-<ms>"
            return None
        owned = await self._db.owns_conversation(reader.user_id, conversation_id)
        return conversation_id if owned else None


@dataclass(frozen=True, slots=True)
class _Composed:
    text: str
    sources: tuple[Source, ...]
    grounded: bool


def _checked(reply: ClaudeReply, passages: Sequence[Passage]) -> _Verdict:
    """Refusals and the model's own "not in the book" are verdicts; an answer of which nothing cited is complete
    is a failure, because the book may well hold it. Raises AIServiceBusy."""
    cut_short = reply.stop_reason == "max_tokens"
    if reply.stop_reason == "refusal" or _says_not_in_the_book(reply.text):
        return _Verdict(None)
    checked = check_answer(reply, passages, cut_short=cut_short)
    dropped = checked.dropped if checked else sum(len(block.citations) for block in reply.blocks)
    log.info("citations_checked", valid_sources=len(checked.quotes) if checked else 0, dropped=dropped)
    if checked is None and cut_short:
        raise AIServiceBusy
    if checked is None:
        return _Verdict(None)
    shown = make_inert(checked.text, (passage.text for passage in passages))
    return _Verdict(replace(checked, text=shown), CUT_SHORT if cut_short else None)


def _says_not_in_the_book(text: str) -> bool:
    said = text.replace("’", "'").strip(" \n\"'*_>").casefold()
    return said.startswith(NOT_IN_THE_BOOK.rstrip(".").casefold())


def _own_question(question: str, selection: str) -> str:
    """The default question holds no word to search for."""
    return "" if selection and question == DEFAULT_QUESTION else question


def _best_first(hits: Iterable[ScoredChunk]) -> list[ScoredChunk]:
    """Each chunk once, with its best score."""
    best: dict[int, ScoredChunk] = {}
    for hit in sorted(hits, key=lambda hit: hit.score, reverse=True):
        best.setdefault(hit.chunk.position, hit)
    return list(best.values())


def _as_hits(marked: Sequence[Chunk], hits: Sequence[ScoredChunk]) -> list[ScoredChunk]:
    """Marked chunks as certain hits: those that also fit the question first, then in reading order."""
    scores = {hit.chunk.position: hit for hit in hits}
    found = [scores.get(chunk.position) or ScoredChunk(chunk, 1.0, 1.0, 0.0) for chunk in marked]
    return sorted(found, key=lambda hit: (hit.chunk.position not in scores, -hit.score, hit.chunk.position))
