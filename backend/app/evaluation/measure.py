"""Questions through the product's own understanding and search -> what was found of what should be.

Knows the order `AnswerService` does things in; must not know how figures are summed up or shown.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from backend.app.evaluation.library import Library
from backend.app.evaluation.observed import DEPTHS, Observed
from backend.app.evaluation.questions import Gold, GoldMode, Question
from backend.app.evaluation.threads import begin_thread
from backend.app.evaluation.workers import side_by_side
from backend.app.lifespan import Answering
from backend.app.models.domain import ChapterId, Chunk, ScoredChunk
from backend.app.services.passages import Passage
from backend.app.services.retriever import Findings
from backend.app.services.selection import trim_selection

Progress = Callable[[int, int], None]


class GoldFinder:
    """Which passages of the index hold a gold. Looks each page up once."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._pages: dict[ChapterId, list[Chunk]] = {}

    def chapter(self, gold: Gold) -> ChapterId:
        return self._library.chapters[gold.page]

    async def positions(self, gold: Gold) -> frozenset[int]:
        """Of the chunks that hold the gold's words (or parts of them, where they are cut); of the whole page for a
        gold without words. Empty when the index does not have the words."""
        chunks = await self._chunks(self.chapter(gold))
        if not gold.must_contain:
            return _in_section(chunks, gold.heading)
        return _holding(chunks, normal(gold.must_contain))

    async def _chunks(self, chapter_id: ChapterId) -> list[Chunk]:
        if chapter_id not in self._pages:
            self._pages[chapter_id] = await self._library.index.chapter_chunks(chapter_id)
        return self._pages[chapter_id]


class Measurement:
    """Asks questions over one library. `answering` is what a site would answer with; threads that questions continue
    are begun with `without_model`, so that they cost nothing."""

    def __init__(self, library: Library, answering: Answering, without_model: Answering) -> None:
        self._library = library
        self._answering = answering
        self._threads = without_model.answers
        self._golds = GoldFinder(library)

    async def run(
        self, questions: Sequence[Question], progress: Progress | None = None, *, concurrent: int = 1
    ) -> list[Observed]:
        """One after the other by default, so that the latency of one is not that of its neighbours. Ends early when
        the model's money is used up."""
        observed = await side_by_side(questions, self._observe, concurrent, progress)
        return [seen for seen in observed if seen]

    async def unreachable(self, questions: Sequence[Question]) -> list[str]:
        """Ids of questions that no search could answer, because no passage holds their gold: a mistake of the set,
        or text that ingest leaves out."""
        lost: list[str] = []
        for question in questions:
            held = [bool(await self._golds.positions(gold)) for gold in question.gold]
            if question.answerable and not _share(held, question.gold_mode):
                lost.append(question.question_id)
        return list(dict.fromkeys(lost))

    async def _observe(self, question: Question) -> Observed:
        thread = await begin_thread(self._threads, question.turns)
        started = time.perf_counter()
        findings = await self._find(question, thread)
        latency_ms = (time.perf_counter() - started) * 1000
        bare = Observed(
            question=question,
            passed_gate=bool(findings.passages),
            recall=None,
            reciprocal_rank=None,
            in_context=None,
            best_cosine=max((hit.dense for hit in findings.hits), default=0.0),
            latency_ms=latency_ms,
            found=tuple(f"{hit.chunk.url}#{hit.chunk.anchor}" for hit in findings.hits[:3]),
        )
        return await self._judge(bare, findings) if question.answerable else bare

    async def _find(self, question: Question, thread: str | None) -> Findings:
        """The steps of `AnswerService` before the model is asked."""
        conversation = await self._threads.conversations.open(thread, None)
        selection = trim_selection(question.selected_text or None)
        understood = await self._answering.rewriter.understand(question.text, selection, conversation.turns)
        return await self._answering.retriever.find(understood.search)

    async def _judge(self, observed: Observed, findings: Findings) -> Observed:
        question = observed.question
        where = [await self._golds.positions(gold) for gold in question.gold]
        hits = _pages_once(findings.hits) if self._library.whole_pages else list(findings.hits)
        ranks = [_rank(hits, positions) for positions in where]
        read = [
            _is_read(gold, self._golds.chapter(gold), positions, findings.passages)
            for gold, positions in zip(question.gold, where, strict=True)
        ]
        return replace(
            observed,
            recall=tuple(_share([rank <= depth for rank in ranks], question.gold_mode) for depth in DEPTHS),
            reciprocal_rank=_reciprocal(ranks, question.gold_mode),
            in_context=_share(read, question.gold_mode),
        )


def normal(text: str) -> str:
    """White space as single spaces: where lines break is no part of the words."""
    return " ".join(text.split())


_NEVER = 10**6
"""The rank of what was not found."""


def _rank(hits: Sequence[ScoredChunk], positions: frozenset[int]) -> int:
    """From 1; of a passage of a corpus, that of its best chunk."""
    return next((rank for rank, hit in enumerate(hits, start=1) if hit.chunk.position in positions), _NEVER)


def _share(found: Sequence[bool], mode: GoldMode) -> float:
    if mode == "share":
        return sum(found) / len(found)
    return float(all(found) if mode == "all" else any(found))


def _reciprocal(ranks: Sequence[int], mode: GoldMode) -> float:
    rank = max(ranks) if mode == "all" else min(ranks)
    return 1 / rank if rank <= DEPTHS[-1] else 0.0


def _is_read(gold: Gold, chapter: ChapterId, positions: frozenset[int], passages: Sequence[Passage]) -> bool:
    """Whether the passages hold the gold's words, on its page; without words, anything of the place."""
    if not gold.must_contain:
        return any(chunk.position in positions for passage in passages for chunk in passage.chunks)
    words = normal(gold.must_contain)
    return any(words in normal(one.text) for one in passages if one.hit.chunk.chapter_id == chapter)


def _pages_once(hits: Sequence[ScoredChunk]) -> list[ScoredChunk]:
    """Each page with its best chunk. The positions of a gold are those of its whole page."""
    best: dict[str, ScoredChunk] = {}
    for hit in hits:
        best.setdefault(hit.chunk.chapter_id, hit)
    return list(best.values())


def _in_section(chunks: Sequence[Chunk], heading: str) -> frozenset[int]:
    inside = frozenset(chunk.position for chunk in chunks if heading in chunk.heading_path)
    return inside or frozenset(chunk.position for chunk in chunks)


def _holding(chunks: Sequence[Chunk], words: str) -> frozenset[int]:
    """Chunks that share a character with an occurrence of `words` in the page's text, which runs over their ends."""
    text, spans = "", list[tuple[int, int, int]]()
    for chunk in chunks:
        start = len(text) + bool(text)
        text = f"{text} {normal(chunk.text)}" if text else normal(chunk.text)
        spans.append((start, len(text), chunk.position))
    found: set[int] = set()
    at = text.find(words)
    while at >= 0:
        found.update(position for start, end, position in spans if start < at + len(words) and at < end)
        at = text.find(words, at + 1)
    return frozenset(found)
