"""The book's passages in Qdrant: what is searched, and with which scores. With `qdrant_door` and `qdrant_building`
the only door to qdrant_client.

Knows queries and their scores; must not know where passages come from or what a hit is used for. The same code serves
a cluster (QDRANT_URL) and Qdrant's local mode (a folder under DATA_DIR).
"""

import importlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from backend.app.errors import ConfigurationError, SearchUnavailable
from backend.app.models.domain import MANIFEST_FORMAT, ChapterId, Chunk, Manifest, ScoredChunk
from backend.app.services import passage_payload
from backend.app.services.memory_search import MemorySearch, StoredVectors
from backend.app.services.qdrant_building import QdrantBuilding
from backend.app.services.qdrant_door import (
    DENSE,
    FILTERED_FIELDS,
    LEXICAL,
    MANIFEST_ID,
    SEARCH_TIMEOUT_S,
    VERSION,
    WRITE_TIMEOUT_S,
    equals,
)
from backend.app.services.ranking import Place, Ranked, fuse, in_context
from backend.app.textbook import analyzer
from backend.app.textbook.evidence import asked_terms

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient, models

CANDIDATES = 200
"""Hits asked of each query before fusing."""
AROUND = 3
"""Neighbours of the best hit that are fetched along with the hits, on each side."""

Scores = tuple[dict[int, float], dict[int, float]]
"""Cosines and BM25 scores by position."""


class SearchSettings(Protocol):
    """The settings that matter here."""

    @property
    def qdrant_url(self) -> str | None: ...
    @property
    def qdrant_api_key(self) -> SecretStr | None: ...
    @property
    def qdrant_collection_name(self) -> str: ...
    @property
    def data_dir(self) -> Path: ...


_SLIGHT_WORDS = 10


@dataclass(frozen=True, slots=True)
class Found:
    """`hits`: for each form, best first. `chunks`, by position: those of the hits and around each best one."""

    hits: tuple[tuple[ScoredChunk, ...], ...]
    chunks: Mapping[int, Chunk]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One search: the forms of a question with their vectors, `wanted` hits of each kind, among all or a few."""

    vectors: tuple[NDArray[np.float32], ...]
    forms: tuple[str, ...]
    wanted: int
    among: Collection[int] | None


def import_client() -> None:
    """Load the client library (~0.5 s), so that `open_index` does not have to: for a start that does several
    things at once."""
    importlib.import_module("qdrant_client")


def open_index(settings: SearchSettings, *, search_timeout_s: float = SEARCH_TIMEOUT_S) -> "QdrantService":
    """Connects to nothing yet (cluster), or opens the folder (local mode; ~0.5 s, most of it the import).

    Raises ConfigurationError when another process has the folder open or it cannot be read.
    """
    from qdrant_client import AsyncQdrantClient

    name = settings.qdrant_collection_name
    if settings.qdrant_url is None:
        folder = _open_folder(settings.data_dir / "qdrant")
        return QdrantService(folder, name, local=True, search_timeout_s=search_timeout_s)
    key = settings.qdrant_api_key
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")  # the settings warn
        client = AsyncQdrantClient(
            url=settings.qdrant_url,
            api_key=key.get_secret_value() if key else None,
            timeout=WRITE_TIMEOUT_S,  # reads get their own, shorter deadline
            check_compatibility=False,  # would connect here, and print
        )
    return QdrantService(client, name, local=False, search_timeout_s=search_timeout_s)


def open_memory_index(*, search_timeout_s: float = SEARCH_TIMEOUT_S) -> "QdrantService":
    """An empty index in local mode that ends with `close`: nothing of it is written anywhere."""
    from qdrant_client import AsyncQdrantClient

    client = AsyncQdrantClient(location=":memory:")
    return QdrantService(client, "passages", local=True, search_timeout_s=search_timeout_s)


def _open_folder(folder: Path) -> "AsyncQdrantClient":
    from qdrant_client import AsyncQdrantClient

    try:
        return AsyncQdrantClient(path=str(folder))
    except RuntimeError as error:  # "already accessed by another instance"
        raise ConfigurationError(
            [f"{folder} is in use: one process only in embedded mode. Stop the server (or the other ingest) first, "
             "or set QDRANT_URL."]
        ) from error  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            [f"The search index in {folder} cannot be opened ({type(error).__name__}). Check the folder's "
             "permissions; if it is damaged, delete it and run: python -m backend ingest PATH"]
        ) from error  # fmt: skip


class QdrantService(QdrantBuilding):
    """Every method raises SearchUnavailable when Qdrant fails in any way, and BookNotIngested without an index."""

    def __init__(
        self, client: "AsyncQdrantClient", alias: str, *, local: bool, search_timeout_s: float = SEARCH_TIMEOUT_S
    ) -> None:
        super().__init__(client, alias, local=local, search_timeout_s=search_timeout_s)
        self._manifest: tuple[str, Manifest | None] = ("", None)
        self._memory: tuple[str, MemorySearch] | None = None
        self._sizes: dict[str, int] = {}

    async def ping(self) -> None:
        """Returns when Qdrant answers and holds an index."""
        await self._collection(fresh=True)

    async def search(
        self, vector: NDArray[np.float32], query: str, *, limit: int = 10, version: str | None = None
    ) -> list[ScoredChunk]:
        """The passages nearest in meaning and words, best first. `vector`: the embedding of `query`; `version`: an
        index that does not answer yet."""
        return list((await self.search_forms([vector], [query], limit=limit, version=version)).hits[0])

    async def search_forms(
        self,
        vectors: Sequence[NDArray[np.float32]],
        forms: Sequence[str],
        *,
        limit: int = 10,
        among: Collection[int] | None = None,
        version: str | None = None,
    ) -> Found:
        """The hits of each form of a question, `among` the passages at these positions. `vectors`: the embeddings of
        the forms. Two calls, however many forms there are."""
        asked = _Asked(tuple(vectors), tuple(forms), max(CANDIDATES, limit), among)
        if version:
            return await self._search(f"{self._alias}--{version}", asked, limit)
        return await self._on_active(lambda name: self._search(name, asked, limit))

    async def chapter_chunks(self, chapter_id: ChapterId) -> list[Chunk]:
        """All passages of a chapter in reading order; none for an unknown chapter."""
        where = equals("chapter_id", chapter_id)
        records = await self._on_active(lambda name: self._scroll(name, where=where))
        return sorted(map(_chunk, records), key=lambda chunk: chunk.position)

    async def page_chunks(self, names: Sequence[str]) -> list[Chunk]:
        """All passages of the pages that have one of these names (chapter ids or routes), in reading order."""
        records = await self._on_active(lambda name: self._scroll(name, where=_any_page(names)))
        return sorted(map(_chunk, records), key=lambda chunk: chunk.position)

    async def manifest(self) -> Manifest:
        """What ingest learnt of the book that answers now. Empty when another version of this program wrote it."""
        return await self._on_active(self._read_manifest) or Manifest()

    async def count(self) -> int:
        """Passages in the index."""
        return await self._on_active(self._count)

    async def check(self, dimension: int, fingerprint: str) -> None:
        """Raises ConfigurationError when the index that answers was built for another embedding model, by another
        version of this program, or is not ours. No index at all is fine."""
        await self.refuse_foreign_collection(ConfigurationError)
        version = await self.active_version()
        if version is None:
            return
        parts = VERSION.fullmatch(version)
        is_ours = parts is not None and parts["analyzer"] == str(analyzer.ANALYZER_VERSION)
        if parts is None or not is_ours or await self._on_active(self._read_manifest) is None:
            raise ConfigurationError(
                ["The search index was built by another version of this program. Run: python -m backend ingest PATH"]
            )
        if parts["fingerprint"] != fingerprint or await self._dimension() != dimension:
            raise ConfigurationError(
                ["EMBEDDING_MODEL: the search index was built with another embedding model. Run again: "
                 "python -m backend ingest PATH, or set EMBEDDING_MODEL back."]
            )  # fmt: skip

    async def add(self, version: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        self._memory, self._sizes = None, {}  # what was remembered of it is no longer all of it
        await super().add(version, chunks, vectors)

    async def _read_manifest(self, name: str) -> Manifest | None:
        """None when it is missing or has another format."""
        if self._manifest[0] != name:
            async with self._calling() as client:
                records = await client.retrieve(name, [MANIFEST_ID], with_payload=True)
            self._manifest = (name, _manifest(records[0].payload or {}) if records else None)
        return self._manifest[1]

    async def _search(self, name: str, asked: _Asked, limit: int) -> Found:
        lists = await (self._in_memory(name, asked) if self._local else self._on_server(name, asked))
        passages = await self._size(name)
        ranked = [fuse(dense, lexical, passages=passages, limit=limit) for dense, lexical in lists]
        positions = {hit.position for hits in ranked for hit in hits}
        for best in (hits[0].position for hits in ranked if hits):
            positions.update(range(max(0, best - AROUND), min(passages, best + AROUND + 1)))
        async with self._calling() as client:
            records = await client.retrieve(name, sorted(positions), with_payload=True)
        chunks = {int(record.id): _chunk(record) for record in records}
        scored = (tuple(_scored(hits, chunks, form)) for hits, form in zip(ranked, asked.forms, strict=True))
        return Found(tuple(scored), chunks)

    async def _on_server(self, name: str, asked: _Asked) -> list[Scores]:
        """For each form its best cosines and its best BM25, by position."""
        requests = [
            self._requests(vector, form, asked) for vector, form in zip(asked.vectors, asked.forms, strict=True)
        ]
        async with self._calling() as client:
            answers = await client.query_batch_points(name, [request for pair in requests for request in pair])
        found = iter([{int(point.id): point.score for point in answer.points} for answer in answers])
        return [(next(found), next(found) if len(pair) > 1 else {}) for pair in requests]

    async def _in_memory(self, name: str, asked: _Asked) -> list[Scores]:
        """The same as `_on_server` for local mode."""
        if self._memory is None or self._memory[0] != name:
            stored = await self._scroll(name, fields=False, vectors=[DENSE, LEXICAL])
            self._memory = (name, MemorySearch(map(_stored, stored)))
        memory = self._memory[1]
        return [
            (
                memory.nearest(vector, asked.wanted, asked.among),
                memory.matching(analyzer.sparse_query(form)[0], asked.wanted, asked.among),
            )
            for vector, form in zip(asked.vectors, asked.forms, strict=True)
        ]

    async def _size(self, name: str) -> int:
        """Passages in a collection to which nothing is added any more."""
        if self._sizes.get(name) is None:
            self._sizes = {name: await self._count(name)}
        return self._sizes[name]

    def _requests(self, vector: NDArray[np.float32], form: str, asked: _Asked) -> "list[models.QueryRequest]":
        from qdrant_client import models

        among = None if asked.among is None else _at(asked.among)
        dense: list[float] = np.asarray(vector, dtype=np.float32).tolist()
        common: dict[str, Any] = {"limit": asked.wanted, "filter": among}
        requests = [models.QueryRequest(query=dense, using=DENSE, params=self._params, **common)]
        indices, values = analyzer.sparse_query(form)
        if indices:
            sparse = models.SparseVector(indices=indices, values=values)
            requests.append(models.QueryRequest(query=sparse, using=LEXICAL, **common))
        return requests


def _any_page(names: Sequence[str]) -> "models.Filter":
    from qdrant_client import models

    return models.Filter(should=[equals(field, name) for field in FILTERED_FIELDS for name in names])


def _at(positions: Collection[int]) -> "models.Filter":
    from qdrant_client import models

    return models.Filter(must=[models.HasIdCondition(has_id=list(positions))])


def _stored(record: "models.Record") -> StoredVectors:
    named: Any = record.vector
    terms = named.get(LEXICAL)
    dense = np.asarray(named[DENSE], dtype=np.float32)
    return StoredVectors(int(record.id), dense, terms.indices if terms else (), terms.values if terms else ())


def _chunk(record: "models.Record") -> Chunk:
    try:
        return passage_payload.read(record.payload or {})
    except (KeyError, TypeError) as error:  # somebody else wrote into our collection
        raise SearchUnavailable from error


def _manifest(payload: Mapping[str, Any]) -> Manifest | None:
    if payload.get("format") != MANIFEST_FORMAT:
        return None
    return Manifest(gate=payload.get("gate") or {}, vocabulary=payload.get("vocabulary") or {})


def _scored(ranked: Sequence[Ranked], chunks: Mapping[int, Chunk], form: str) -> list[ScoredChunk]:
    """Best first, each hit with its place in the book taken into account."""
    asked = asked_terms(form) or frozenset[str]()
    hits = [(hit, chunks[hit.position]) for hit in ranked if hit.position in chunks]
    scores = in_context([hit.score for hit, _ in hits], [_place(chunk, asked) for _, chunk in hits])
    found = [
        ScoredChunk(chunk=chunk, score=round(score, 6), dense=hit.dense, lexical=hit.lexical)
        for (hit, chunk), score in zip(hits, scores, strict=True)
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.chunk.position))


def _place(chunk: Chunk, asked: frozenset[str]) -> Place:
    """The top of a page has its chapter's name, which says little about it."""
    is_named = bool(asked and chunk.anchor) and asked <= set(analyzer.terms(chunk.heading_path[-1]))
    return Place(chunk.chapter_id, is_named, len((chunk.words or chunk.text).split()) < _SLIGHT_WORDS)
