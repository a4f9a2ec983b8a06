"""What every exchange with Qdrant has in common: the client, the alias, how long it may take and how it fails.

Knows collections and records; must not know what is searched or built. The alias points at one real collection
`<alias>--<version>`, which is never changed once it answers.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from backend.app.errors import AppError, BookNotIngested, SearchUnavailable

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient, models

DENSE, LEXICAL = "dense", "lexical"
FILTERED_FIELDS = ("chapter_id", "url")
"""Payload fields that a filter may name. Each gets an index: clusters in strict mode refuse others."""

MANIFEST_ID = "6d616e69-6665-4374-8000-000000000000"
"""The one point that is no passage: it has no vectors, so that no search finds it, and every list leaves it out."""

SEARCH_TIMEOUT_S = 3.0
WRITE_TIMEOUT_S = 60
RESOLVED_FOR_S = 30.0
"""How long the alias's target is believed. A switch is noticed earlier: the old collection is gone then."""
VERSION = re.compile(r"(?P<fingerprint>[0-9a-f]{12})-(?P<analyzer>\d+)-[0-9a-f]{12}")
PAGE = 256

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class NoCollection(BookNotIngested):
    """The collection asked for is not there (any more)."""


class QdrantDoor:
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

    async def close(self) -> None:
        await self._client.close()

    async def _on_active(self, operation: Callable[[str], Awaitable[_T]]) -> _T:
        """Runs on the collection that answers; once more when another process has just replaced it."""
        try:
            return await operation(await self._collection())
        except NoCollection:
            return await operation(await self._collection(fresh=True))

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
        return sorted(n for n in names if n.startswith(prefix) and VERSION.fullmatch(n.removeprefix(prefix)))

    async def _foreign_collection(self) -> bool:
        async with self._calling() as client:
            return self._alias in {collection.name for collection in (await client.get_collections()).collections}

    async def _dimension(self) -> int:
        name = await self._collection()
        async with self._calling() as client:
            params: Any = (await client.get_collection(name)).config.params
        return int(params.vectors[DENSE].size)

    async def _count(self, name: str) -> int:
        async with self._calling() as client:
            return (await client.count(name, passages(), exact=True)).count

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
                    passages(where),
                    PAGE,
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
                raise NoCollection from error
            _log.warning("search_failed", error=type(error).__name__, status=getattr(error, "status_code", None))
            raise SearchUnavailable from error


def _is_missing_collection(error: Exception) -> bool:
    """A cluster answers 404 with this text (a suspended one answers 404 without it); local mode raises ValueError."""
    if isinstance(error, ValueError):
        return re.fullmatch(r"Collection .+ not found", str(error)) is not None
    content = getattr(error, "content", b"")
    return getattr(error, "status_code", None) == 404 and b"Collection" in content


def passages(where: "models.FieldCondition | models.Filter | None" = None) -> "models.Filter":
    from qdrant_client import models

    no_passage = models.HasIdCondition(has_id=[MANIFEST_ID])
    return models.Filter(must=[where] if where else None, must_not=[no_passage])


def equals(field: str, value: str) -> "models.FieldCondition":
    from qdrant_client import models

    if field not in FILTERED_FIELDS:
        raise ValueError(f"{field} has no payload index")
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
