"""A search query -> what the book has on it: the passages to read, and whether they are evidence at all.

The order of embedding, search, gate and packing. Knows nothing of readers, models or citations; what `evaluate`
measures is this module.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from backend.app.models.domain import Chunk, ScoredChunk
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.gate import is_answerable, relevant
from backend.app.services.passages import Passage, pack
from backend.app.services.qdrant_service import QdrantService
from backend.app.services.selection import find_marked_chunks, search_words

_HITS = 10
_CANDIDATE_CHAPTERS = 3
_RELATED = 3


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`forms` are searched side by side, and a passage counts with its best score: the question in English, its
    terms, ... `selection` is what the reader marked."""

    forms: tuple[str, ...]
    selection: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """`hits`: best first, each chunk once. `passages`: what is read, in the order of relevance, within the budget;
    empty when nothing found is evidence. `is_marked`: the selection stands in the book. `nearest`: the sections
    closest to the question, each once, whether evidence or not."""

    hits: tuple[ScoredChunk, ...]
    passages: tuple[Passage, ...]
    is_marked: bool
    nearest: tuple[Chunk, ...]


class Retriever:
    """`threshold` is the cosine from which a passage is evidence by itself."""

    def __init__(self, embedder: EmbeddingService, index: QdrantService, *, threshold: float) -> None:
        self._embedder = embedder
        self._index = index
        self._threshold = threshold

    async def find(self, query: SearchQuery, *, only_evidence: bool = False) -> Findings:
        """Raises SearchUnavailable, BookNotIngested. With `only_evidence` each passage must be evidence by itself:
        for answers that no model reads first."""
        forms = [form for form in (*query.forms, search_words(query.selection)) if form]
        if not forms:
            return Findings((), (), is_marked=False, nearest=())
        vectors = await self._embedder.embed(forms)
        found = await asyncio.gather(
            *(self._index.search(vector, form, limit=_HITS) for vector, form in zip(vectors, forms, strict=True))
        )
        marked = await self._find_marked(query.selection, found[-1]) if query.selection else []
        hits = _best_first(chain.from_iterable(found))
        passages: tuple[Passage, ...] = ()
        if marked or any(is_answerable(of, form, self._threshold) for of, form in zip(found, forms, strict=True)):
            readable = relevant(hits, forms, self._threshold) if only_evidence else hits
            passages = pack([*_as_hits(marked, readable), *readable])
        return Findings(tuple(hits), passages, bool(marked), _nearest_sections(hits))

    async def _find_marked(self, selection: str, hits: Sequence[ScoredChunk]) -> list[Chunk]:
        chapters = list(dict.fromkeys(hit.chunk.chapter_id for hit in hits))[:_CANDIDATE_CHAPTERS]
        for chapter_id in chapters:
            marked = find_marked_chunks(selection, await self._index.chapter_chunks(chapter_id))
            if marked:
                return marked
        return []


def _nearest_sections(hits: Iterable[ScoredChunk]) -> tuple[Chunk, ...]:
    sections: dict[tuple[str, str], Chunk] = {}
    for hit in hits:
        sections.setdefault((hit.chunk.chapter_id, hit.chunk.anchor), hit.chunk)
    return tuple(sections.values())[:_RELATED]


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
