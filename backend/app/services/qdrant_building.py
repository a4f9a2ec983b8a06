"""Building an index in Qdrant beside the one that answers, and switching to it in one step.

Knows versions and what a crash leaves behind; must not know where passages come from or how they are searched.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.app.errors import BookError, BookNotIngested, ConfigurationError
from backend.app.models.domain import MANIFEST_FORMAT, ChapterId, Chunk, Manifest
from backend.app.services import passage_payload
from backend.app.services.qdrant_door import (
    DENSE,
    FILTERED_FIELDS,
    LEXICAL,
    MANIFEST_ID,
    WRITE_TIMEOUT_S,
    QdrantDoor,
)
from backend.app.textbook import analyzer

if TYPE_CHECKING:
    from qdrant_client import models


class QdrantBuilding(QdrantDoor):
    """Every method raises SearchUnavailable when Qdrant fails in any way."""

    async def active_version(self) -> str | None:
        """What answers now; None before the first ingest."""
        try:
            return (await self._collection(fresh=True)).removeprefix(f"{self._alias}--")
        except BookNotIngested:
            return None

    async def refuse_foreign_collection(self, failure: type[ConfigurationError] | type[BookError]) -> None:
        """Raises `failure` when a real collection, not made here, has the name that our alias needs."""
        if await self._foreign_collection():
            text = (
                f"QDRANT_COLLECTION_NAME={self._alias} names a collection that this program did not make. Choose "
                "another name, or run: python -m backend ingest PATH --replace, which deletes that collection."
            )
            raise failure([text]) if failure is ConfigurationError else BookError(text)

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


def _point(chunk: Chunk, vector: NDArray[np.float32], version: str) -> "models.PointStruct":
    from qdrant_client import models

    indices, values = analyzer.sparse_document(chunk.embedding_text)
    named: Any = {DENSE: vector.tolist(), LEXICAL: models.SparseVector(indices=indices, values=values)}
    return models.PointStruct(id=chunk.position, vector=named, payload=passage_payload.write(chunk, version))
