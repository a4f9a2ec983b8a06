"""The book's passages in Qdrant: build an index, switch to it, search it. The only door to qdrant_client.

Knows collections, aliases and what can go wrong with them; must not know where passages come from or what a hit is
used for. The same code serves a cluster (QDRANT_URL) and Qdrant's local mode (a folder under DATA_DIR).

The alias QDRANT_COLLECTION_NAME points at one real collection `<alias>--<version>`, which is never changed once it
answers: a new book is built beside it and the alias switched in one step.
"""

import asyncio
import importlib
import re
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import SecretStr

from backend.app.errors import AppError, BookError, BookNotIngested, ConfigurationError, SearchUnavailable
from backend.app.models.domain import MANIFEST_FORMAT, ChapterId, Chunk, Manifest, ScoredChunk
from backend.app.services import passage_payload
from backend.app.services.memory_search import MemorySearch, StoredVectors
from backend.app.services.ranking import Ranked, fuse
from backend.app.textbook import analyzer

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient, models

DENSE, LEXICAL = "dense", "lexical"
FILTERED_FIELDS = ("chapter_id", "url")
"""Payload fields that a filter may name. Each gets an index: clusters in strict mode refuse others."""

MANIFEST_ID = "6d616e69-6665-4374-8000-000000000000"
"""The one point that is no passage: it has no vectors, so that no search finds it, and every list leaves it out."""

CANDIDATES = 200
"""Hits asked of each query before fusing."""
AROUND = 3
"""Neighbours of the best hit that are fetched along with the hits, on each side."""
SEARCH_TIMEOUT_S = 3.0
WRITE_TIMEOUT_S = 60
RESOLVED_FOR_S = 30.0
"""How long the alias's target is believed. A switch is noticed earlier: the old collection is gone then."""
_PAGE = 256

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)
_VERSION = re.compile(r"(?P<fingerprint>[0-9a-f]{12})-(?P<analyzer>\d+)-[0-9a-f]{12}")


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


class _NoCollection(BookNotIngested):
    """The collection asked for is not there (any more)."""


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


class QdrantService:
    """Every method raises SearchUnavailable when Qdrant fails in any way, and BookNotIngested without an index."""

    def __init__(
        self, client: "AsyncQdrantClient", alias: str, *, local: bool, search_timeout_s: float = SEARCH_TIMEOUT_S
    ) -> None:
        from qdrant_client import models

        self._client = client
        self._alias = alias
        self._local = local
        self._search_timeout_s = search_timeout_s
        # Local mode is not safe for overlapping calls: lost points were seen without a lock.
        self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if local else nullcontext()
        # Exact search: a book is small, and the ranking is then the same everywhere. Local mode is always exact.
        self._params = None if local else models.SearchParams(exact=True)
        self._resolved: tuple[str, float] | None = None
        self._manifest: tuple[str, Manifest | None] = ("", None)
        self._memory: tuple[str, MemorySearch] | None = None
        self._sizes: dict[str, int] = {}

    async def close(self) -> None:
        await self._client.close()

    # ---- asking ----

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
        where = _equals("chapter_id", chapter_id)
        records = await self._on_active(lambda name: self._scroll(name, where=where))
        return sorted(map(_chunk, records), key=lambda chunk: chunk.position)

    async def page_chunks(self, names: Sequence[str]) -> list[Chunk]:
        """All passages of the pages that have one of these names (chapter ids or routes), in reading order."""
        records = await self._on_active(lambda name: self._scroll(name, where=_any_page(names)))
        return sorted(map(_chunk, records), key=lambda chunk: chunk.position)

    async def manifest(self) -> Manifest:
        """What ingest learnt of the book that answers now. Empty when another version of this program wrote it."""
        return await self._on_active(self._read_manifest) or Manifest()

    async def active_version(self) -> str | None:
        """What answers now; None before the first ingest."""
        try:
            return (await self._collection(fresh=True)).removeprefix(f"{self._alias}--")
        except BookNotIngested:
            return None

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
        parts = _VERSION.fullmatch(version)
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

    async def refuse_foreign_collection(self, failure: type[ConfigurationError] | type[BookError]) -> None:
        """Raises `failure` when a real collection, not made here, has the name that our alias needs."""
        if await self._foreign_collection():
            text = (
                f"QDRANT_COLLECTION_NAME={self._alias} names a collection that this program did not make. Choose "
                "another name, or run: python -m backend ingest PATH --replace, which deletes that collection."
            )
            raise failure([text]) if failure is ConfigurationError else BookError(text)

    # ---- building ----

    async def chapter_ids(self) -> set[ChapterId]:
        """The chapters that the active index answers from; none before the first ingest."""
        try:
            records = await self._on_active(lambda name: self._scroll(name, fields=["chapter_id"]))
        except BookNotIngested:
            return set()
        return {ChapterId((record.payload or {})["chapter_id"]) for record in records}

    async def stored_vectors(self, fingerprint: str) -> dict[str, NDArray[np.float32]]:
        """content_hash -> vector of every index made with this model, unfinished ones included."""
        vectors: dict[str, NDArray[np.float32]] = {}
        for name in await self._own_collections():
            if name.startswith(f"{self._alias}--{fingerprint}-"):
                for record in await self._scroll(name, fields=["content_hash"], vectors=[DENSE]):
                    named: Any = record.vector
                    vectors[(record.payload or {})["content_hash"]] = np.asarray(named[DENSE], dtype=np.float32)
        return vectors

    async def create(self, version: str, dimension: int) -> None:
        """An empty index beside the active one; a half-built one of the same version is dropped."""
        from qdrant_client import models

        name = f"{self._alias}--{version}"
        async with self._calling(WRITE_TIMEOUT_S) as client:
            await client.delete_collection(name)
            await client.create_collection(
                name,
                vectors_config={DENSE: models.VectorParams(size=dimension, distance=models.Distance.COSINE)},
                sparse_vectors_config={LEXICAL: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
            if not self._local:  # local mode has no payload indexes and says so with a warning
                for field in FILTERED_FIELDS:
                    await client.create_payload_index(name, field, models.PayloadSchemaType.KEYWORD, wait=True)

    async def add(self, version: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Writes passages with their (n, dimension) vectors; a passage's position is its id."""
        self._memory, self._sizes = None, {}
        points = [_point(chunk, vector, version) for chunk, vector in zip(chunks, vectors, strict=True)]
        async with self._calling(WRITE_TIMEOUT_S) as client:
            await client.upsert(f"{self._alias}--{version}", points, wait=True)

    async def write_manifest(self, version: str, manifest: Manifest) -> None:
        """Adds to an index that is being built what was learnt of the whole book."""
        from qdrant_client import models

        payload = {"format": MANIFEST_FORMAT, "gate": manifest.gate, "vocabulary": manifest.vocabulary}
        async with self._calling(WRITE_TIMEOUT_S) as client:
            points = [models.PointStruct(id=MANIFEST_ID, vector={}, payload=payload)]
            await client.upsert(f"{self._alias}--{version}", points, wait=True)

    async def activate(self, version: str) -> None:
        """Lets the alias point at this index, in one step; then drops every other index of ours."""
        from qdrant_client import models

        if await self._foreign_collection():
            async with self._calling(WRITE_TIMEOUT_S) as client:
                await client.delete_collection(self._alias)
        name = f"{self._alias}--{version}"
        steps: list[models.AliasOperations] = []
        if await self._target() is not None:
            steps.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._alias)))
        created = models.CreateAlias(collection_name=name, alias_name=self._alias)
        steps.append(models.CreateAliasOperation(create_alias=created))
        async with self._calling(WRITE_TIMEOUT_S) as client:
            await client.update_collection_aliases(steps)
        await self.drop_inactive()

    async def drop_inactive(self) -> None:
        """Removes what a switch or a crash left behind."""
        active = await self._collection(fresh=True)
        for name in await self._own_collections():
            if name != active:
                async with self._calling(WRITE_TIMEOUT_S) as client:
                    await client.delete_collection(name)

    # ---- inside ----

    async def _on_active(self, operation: Callable[[str], Awaitable[_T]]) -> _T:
        """Runs on the collection that answers; once more when another process has just replaced it."""
        try:
            return await operation(await self._collection())
        except _NoCollection:
            return await operation(await self._collection(fresh=True))

    async def _count(self, name: str) -> int:
        async with self._calling() as client:
            return (await client.count(name, _passages(), exact=True)).count

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
        return Found(tuple(tuple(_scored(hits, chunks)) for hits in ranked), chunks)

    async def _on_server(self, name: str, asked: _Asked) -> list[tuple[dict[int, float], dict[int, float]]]:
        """For each form its best cosines and its best BM25, by position."""
        requests = [
            self._requests(vector, form, asked) for vector, form in zip(asked.vectors, asked.forms, strict=True)
        ]
        async with self._calling() as client:
            answers = await client.query_batch_points(name, [request for pair in requests for request in pair])
        found = iter([{int(point.id): point.score for point in answer.points} for answer in answers])
        return [(next(found), next(found) if len(pair) > 1 else {}) for pair in requests]

    async def _in_memory(self, name: str, asked: _Asked) -> list[tuple[dict[int, float], dict[int, float]]]:
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

    async def _collection(self, *, fresh: bool = False) -> str:
        """The real collection behind the alias, so that the calls of one search all see the same index."""
        now = time.monotonic()
        if fresh or self._resolved is None or now - self._resolved[1] > RESOLVED_FOR_S:
            target = await self._target()
            if target is None:
                raise BookNotIngested
            self._resolved = (target, now)
        return self._resolved[0]

    async def _target(self) -> str | None:
        async with self._calling() as client:
            aliases = (await client.get_aliases()).aliases
        return next((a.collection_name for a in aliases if a.alias_name == self._alias), None)

    async def _own_collections(self) -> list[str]:
        async with self._calling() as client:
            names = [collection.name for collection in (await client.get_collections()).collections]
        prefix = f"{self._alias}--"
        return sorted(n for n in names if n.startswith(prefix) and _VERSION.fullmatch(n.removeprefix(prefix)))

    async def _foreign_collection(self) -> bool:
        async with self._calling() as client:
            return self._alias in {collection.name for collection in (await client.get_collections()).collections}

    async def _dimension(self) -> int:
        name = await self._collection()
        async with self._calling() as client:
            params: Any = (await client.get_collection(name)).config.params
        return int(params.vectors[DENSE].size)

    async def _scroll(
        self,
        name: str,
        *,
        where: "models.FieldCondition | models.Filter | None" = None,
        fields: list[str] | bool = True,
        vectors: list[str] | bool = False,
    ) -> "list[models.Record]":
        records: list[models.Record] = []
        offset: Any = None
        while True:
            async with self._calling(WRITE_TIMEOUT_S if vectors else None) as client:
                page, offset = await client.scroll(
                    name,
                    _passages(where),
                    _PAGE,
                    offset=offset,
                    with_payload=fields,
                    with_vectors=vectors,
                )
            records += page
            if offset is None:
                return records

    @asynccontextmanager
    async def _calling(self, timeout_s: float | None = None) -> "AsyncGenerator[AsyncQdrantClient]":
        """The client, for one exchange: whatever it raises leaves as one of our failures."""
        try:
            async with asyncio.timeout(timeout_s or self._search_timeout_s), self._turn:
                yield self._client
        except AppError:
            raise
        except Exception as error:  # httpx, pydantic, sqlite, Qdrant's own and, in local mode, plain ValueErrors
            if _is_missing_collection(error):
                raise _NoCollection from error
            _log.warning("search_failed", error=type(error).__name__, status=getattr(error, "status_code", None))
            raise SearchUnavailable from error


def _is_missing_collection(error: Exception) -> bool:
    """A cluster answers 404 with this text (a suspended one answers 404 without it); local mode raises ValueError."""
    if isinstance(error, ValueError):
        return re.fullmatch(r"Collection .+ not found", str(error)) is not None
    content = getattr(error, "content", b"")
    return getattr(error, "status_code", None) == 404 and b"Collection" in content


def _passages(where: "models.FieldCondition | models.Filter | None" = None) -> "models.Filter":
    from qdrant_client import models

    no_passage = models.HasIdCondition(has_id=[MANIFEST_ID])
    return models.Filter(must=[where] if where else None, must_not=[no_passage])


def _equals(field: str, value: str) -> "models.FieldCondition":
    from qdrant_client import models

    if field not in FILTERED_FIELDS:
        raise ValueError(f"{field} has no payload index")
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _any_page(names: Sequence[str]) -> "models.Filter":
    from qdrant_client import models

    return models.Filter(should=[_equals(field, name) for field in FILTERED_FIELDS for name in names])


def _at(positions: Collection[int]) -> "models.Filter":
    from qdrant_client import models

    return models.Filter(must=[models.HasIdCondition(has_id=list(positions))])


def _point(chunk: Chunk, vector: NDArray[np.float32], version: str) -> "models.PointStruct":
    from qdrant_client import models

    indices, values = analyzer.sparse_document(chunk.embedding_text)
    named: Any = {DENSE: vector.tolist(), LEXICAL: models.SparseVector(indices=indices, values=values)}
    return models.PointStruct(id=chunk.position, vector=named, payload=passage_payload.write(chunk, version))


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


def _scored(ranked: Sequence[Ranked], chunks: Mapping[int, Chunk]) -> list[ScoredChunk]:
    return [
        ScoredChunk(chunk=chunks[hit.position], score=hit.score, dense=hit.dense, lexical=hit.lexical)
        for hit in ranked
        if hit.position in chunks
    ]
