"""A search query -> what the book has on it: the passages to read, and whether they are evidence at all.

The order of embedding, search, gate and packing. Knows nothing of readers, models or citations; what `evaluate`
measures is this module.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from backend.app.language import detect
from backend.app.models.domain import Chunk, ScoredChunk
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.gate import gate_of, relevant
from backend.app.services.passages import Passage, pack
from backend.app.services.qdrant_service import QdrantService
from backend.app.services.selection import find_marked_chunks, page_place, search_words
from backend.app.services.telemetry import Telemetry, Unheard, timed

_HITS = 20  # more than fit; what repeats another is skipped
_JUDGED = 10  # what the gate was calibrated with
_CANDIDATE_CHAPTERS = 3
_RELATED = 3

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`forms` are searched side by side, and a passage counts with its best score: the question in English, its
    terms, ... `selection` is what the reader marked, on `page` (a chapter id or route, with #heading or not)."""

    forms: tuple[str, ...]
    selection: str = ""
    page: str | None = None


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
    """`threshold` is the cosine from which a passage is evidence by itself; None: as calibrated for the book."""

    def __init__(
        self,
        embedder: EmbeddingService,
        index: QdrantService,
        *,
        threshold: float | None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry or Unheard()
        self._embedder = embedder
        self._index = index
        self._threshold = threshold

    async def find(self, query: SearchQuery, *, only_evidence: bool = False) -> Findings:
        """Raises SearchUnavailable, BookNotIngested. With `only_evidence` each passage must be evidence by itself:
        for answers that no model reads first."""
        forms = [form for form in (*query.forms, search_words(query.selection)) if form]
        if not forms:
            return Findings((), (), is_marked=False, nearest=())
        with timed(self._telemetry, "embed"):
            vectors = await self._embedder.embed(forms)
        with timed(self._telemetry, "search"):
            found = await self._index.search_forms(list(vectors), forms, limit=_HITS)
        marked = await self._find_marked(query.selection, found.hits[-1]) if query.selection else []
        placed = marked or await self._place_on_page(query, vectors, forms)
        hits = _best_first(chain.from_iterable(found.hits))
        passages: tuple[Passage, ...] = ()
        gate = gate_of(await self._index.manifest(), self._threshold)
        lists = zip(found.hits, forms, strict=True)
        evident = {hit.chunk.position for of, form in lists for hit in relevant(of[:_JUDGED], form, gate)}
        if evident or marked or (placed and detect(query.selection) != "en"):
            readable = [hit for hit in hits if hit.chunk.position in evident] if only_evidence else hits
            around = {} if only_evidence else {**found.chunks, **{chunk.position: chunk for chunk in placed}}
            passages = pack([*_as_hits(placed, readable), *readable], around)
        return Findings(tuple(hits), passages, bool(marked), _nearest_sections(hits))

    async def _find_marked(self, selection: str, hits: Sequence[ScoredChunk]) -> list[Chunk]:
        chapters = list(dict.fromkeys(hit.chunk.chapter_id for hit in hits))[:_CANDIDATE_CHAPTERS]
        for chapter_id in chapters:
            marked = find_marked_chunks(selection, await self._index.chapter_chunks(chapter_id))
            if marked:
                return marked
        return []

    async def _place_on_page(self, query: SearchQuery, vectors: Vectors, forms: Sequence[str]) -> list[Chunk]:
        """The section that a selection in other words (a translated or a simpler page's) stands for: the one under
        the heading that the client names, else the page's best for any form of the query. Clients can name any page:
        what is in English must be evidence all the same, as the words of a simpler page are."""
        if not query.selection or not query.page:
            return []
        place = page_place(query.page)
        page = await self._index.page_chunks(place.names) if place.names else []
        under = [chunk for chunk in page if place.anchor and chunk.anchor == place.anchor]
        if under or not page:
            return under
        positions = [chunk.position for chunk in page]
        found = await self._index.search_forms(list(vectors), forms, limit=1, among=positions)
        best = _best_first(chain.from_iterable(found.hits))[0].chunk
        return [chunk for chunk in page if (chunk.chapter_id, chunk.anchor) == (best.chapter_id, best.anchor)]


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
