"""A question -> an answer that the book supports, or the sentence that says it does not.

Understand, find, ask, check the citations, remember. Each step has its own module; this one is their order.
Knows neither HTTP nor SQL.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from backend.app.models.domain import (
    Answer,
    AnswerMode,
    ChatTurn,
    Chunk,
    PastTurn,
    Reader,
    RelatedSection,
    Source,
    UnansweredQuestion,
)
from backend.app.services.answer_events import (
    AnswerEvent,
    BookSearched,
    CheckedListener,
    SourceCited,
    Tell,
    TextVerified,
)
from backend.app.services.citations import AnswerCheck, Quote, parts_of
from backend.app.services.claude_budget import NoMoney
from backend.app.services.claude_service import ClaudeService
from backend.app.services.conversations import Conversation, Conversations
from backend.app.services.db_service import DBService
from backend.app.services.deep_links import deep_link
from backend.app.services.query_rewriter import QueryRewriter, Understood
from backend.app.services.reader_words import question_block
from backend.app.services.retriever import Findings, Retriever, SearchQuery
from backend.app.services.selection import trim_selection
from backend.app.services.telemetry import Telemetry, Unheard, timed
from backend.app.services.unanswered import UnansweredLog
from backend.app.services.verdicts import Verdict, verdict_of_passages, verdict_of_reply
from backend.app.utils.config import Settings

NOT_SAVED = "Could not save chat history."

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader sends. `conversation_id` is whatever the client keeps; only our own ids mean something. `page` is
    whatever it says of the page that the reader is on."""

    question: str
    selected_text: str | None = None
    conversation_id: str | None = None
    page: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All that is known before an answer is written."""

    started: float
    asked: Asked
    conversation: Conversation
    understood: Understood
    search: SearchQuery
    findings: Findings


class AnswerService:
    """Answers from the book. `claude` is None when no key is configured: answers are then quotations."""

    def __init__(
        self,
        settings: Settings,
        rewriter: QueryRewriter,
        retriever: Retriever,
        claude: ClaudeService | None,
        db: DBService,
        unanswered: UnansweredLog | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """What the book does not answer goes to `unanswered`; None keeps no record of it."""
        self._telemetry = telemetry or Unheard()
        self._site_url = settings.site_url
        self._rewriter = rewriter
        self._retriever = retriever
        self._claude = claude
        self._db = db
        self._unanswered = unanswered
        self.conversations = Conversations(db)

    @property
    def mode(self) -> AnswerMode:
        """Who produces the answers, as long as there is money for them."""
        return "claude" if self._claude else "extractive"

    async def ask(self, asked: Asked, reader: Reader | None = None) -> Answer:
        """Answer one question; a signed-in reader's turn is saved.

        Raises SearchUnavailable, BookNotIngested, AIServiceBusy. A failing database costs the history, not the
        answer.
        """
        return await self._answer(asked, reader, None)

    async def stream(self, asked: Asked, reader: Reader | None = None) -> AsyncGenerator[AnswerEvent]:
        """The same steps, told as they are taken; the last event is what `ask` would have returned.

        Raises what `ask` raises: before the first event when a store fails, later when Claude fails. Closed early, it
        cancels the call to Claude, and nothing is saved.
        """
        events = asyncio.Queue[AnswerEvent | None]()
        # A task of its own: its deadlines must not depend on which task asks for the next event
        answering = asyncio.create_task(self._answer(asked, reader, events.put_nowait))

        def end(done: asyncio.Task[Answer]) -> None:
            events.put_nowait(None)
            _ = done.cancelled() or done.exception()  # a reader who has left meanwhile does not ask for it

        answering.add_done_callback(end)
        try:
            while event := await events.get():
                yield event
            yield answering.result()
        finally:
            if not answering.done():
                log.info("reader_left")
                answering.cancel()
                await asyncio.wait([answering])

    async def list_history(self, reader: Reader, limit: int) -> list[ChatTurn]:
        """Newest first."""
        return await self._db.list_turns(reader.user_id, limit)

    async def delete_history(self, reader: Reader) -> int:
        """Returns how many turns there were."""
        return await self._db.delete_turns(reader.user_id)

    async def _answer(self, asked: Asked, reader: Reader | None, tell: Tell | None) -> Answer:
        prepared = await self._prepare(asked, reader)
        if tell:
            tell(BookSearched(len(prepared.findings.passages)))
        verdict = await self._judge(prepared, reader, tell)
        return await self._finish(prepared, verdict, reader)

    async def _prepare(self, asked: Asked, reader: Reader | None) -> _Prepared:
        started = time.perf_counter()
        conversation = await self.conversations.open(asked.conversation_id, reader)
        selection = trim_selection(asked.selected_text)
        payer = reader.user_id if reader else None
        with timed(self._telemetry, "understand"):
            understood = await self._rewriter.understand(
                asked.question, selection, conversation.turns, asked.page, user_id=payer
            )
        search = replace(understood.search, page=asked.page)
        findings = await self._retriever.find(search, only_evidence=self._claude is None)
        return _Prepared(started, asked, conversation, understood, search, findings)

    async def _judge(self, prepared: _Prepared, reader: Reader | None, tell: Tell | None) -> Verdict:
        language = prepared.understood.language
        if prepared.findings.passages and self._claude:
            try:
                verdict = await self._ask_claude(self._claude, prepared, reader, tell)
            except NoMoney as refused:
                findings = await self._retriever.find(prepared.search, only_evidence=True)
                verdict = verdict_of_passages(findings.passages, language, "extractive", no_money=refused.why)
        else:
            verdict = verdict_of_passages(prepared.findings.passages, language, self.mode)
        if tell and (verdict.checked is None or verdict.mode == "extractive"):
            for quote in verdict.checked.quotes if verdict.checked else ():
                tell(SourceCited(self._source(quote)))
            tell(TextVerified(verdict.text))
        return verdict

    async def _ask_claude(
        self, claude: ClaudeService, prepared: _Prepared, reader: Reader | None, tell: Tell | None
    ) -> Verdict:
        passages, understood = prepared.findings.passages, prepared.understood
        payer = reader.user_id if reader else None

        def new_check() -> AnswerCheck:
            return AnswerCheck(passages, understood.question, understood.language)

        listener = CheckedListener(new_check, self._source, tell) if tell else None
        reply = await claude.answer(_question_block(prepared), passages, user_id=payer, listener=listener)
        if listener:
            self._telemetry.took("check", listener.checked_s)
            return verdict_of_reply(reply, listener.check, listener)
        check = new_check()
        with timed(self._telemetry, "check"):
            for part in parts_of(reply):
                check.hear(part)
        return verdict_of_reply(reply, check)

    async def _finish(self, prepared: _Prepared, verdict: Verdict, reader: Reader | None) -> Answer:
        sources, related = (), tuple(map(self._related, prepared.findings.nearest))
        if verdict.checked:
            sources, related = tuple(map(self._source, verdict.checked.quotes)), ()
        turn = PastTurn(prepared.asked.question, verdict.text, sources, verdict.outcome)
        saving = time.perf_counter()
        saved = await self.conversations.save(prepared.conversation, turn, verdict.mode, reader)
        if reader:  # in memory it takes no time
            self._telemetry.took("save", time.perf_counter() - saving)
        self._record_unanswered(prepared, verdict)
        took_s = time.perf_counter() - prepared.started
        self._tell(verdict, took_s)
        return Answer(
            text=verdict.text,
            sources=sources,
            outcome=verdict.outcome,
            related=related,
            mode=verdict.mode,
            conversation_id=prepared.conversation.conversation_id,
            response_time_s=round(took_s, 3),
            warning=verdict.warning if saved else NOT_SAVED,
        )

    def _tell(self, verdict: Verdict, took_s: float) -> None:
        self._telemetry.took("answer", took_s)
        self._telemetry.happened("answers", verdict.mode, verdict.outcome)
        if verdict.outcome == "not_in_book":
            self._telemetry.happened("refusals", verdict.reason or "model")

    def _record_unanswered(self, prepared: _Prepared, verdict: Verdict) -> None:
        if self._unanswered is None or verdict.outcome == "answered":
            return
        understood, hits, nearest = prepared.understood, prepared.findings.hits, prepared.findings.nearest
        rewritten = understood.search.forms[:1] if understood.thread else ()
        self._unanswered.record(
            UnansweredQuestion(
                question=rewritten[0] if rewritten else understood.question,
                language=understood.language,
                outcome=verdict.outcome,
                reason=verdict.reason or "model",
                best_score=hits[0].score if hits else None,
                nearest=nearest[0] if nearest else None,
            )
        )

    def _source(self, quote: Quote) -> Source:
        chunk, score = quote.chunk, quote.passage.hit.score
        return Source(
            chapter_id=chunk.chapter_id,
            section=chunk.section,
            similarity=round(min(max(score, 0.0), 1.0), 4),
            title=chunk.title,
            url=deep_link(chunk, quote.text, self._site_url),
            quote=quote.text,
        )

    def _related(self, chunk: Chunk) -> RelatedSection:
        return RelatedSection(chunk.chapter_id, chunk.section, chunk.title, deep_link(chunk, "", self._site_url))


def _question_block(prepared: _Prepared) -> str:
    origin: Literal["book", "reader"] = "book" if prepared.findings.is_marked else "reader"
    understood = prepared.understood
    return question_block(
        understood.question,
        understood.search.selection,
        origin=origin,
        thread=understood.thread,
        language=understood.language,
    )
