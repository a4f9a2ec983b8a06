"""What is learnt of a whole book once its passages can be searched, and kept beside them: its words, and where the
line lies between evidence and none.

Knows which questions are asked and in which forms; must not know how they are searched or where the result is kept.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.app.language import detect, english_forms, load_vocabulary, vocabulary_of
from backend.app.models.domain import Chunk, Manifest, ScoredChunk
from backend.app.textbook.calibration import calibrate, own_questions
from backend.app.textbook.evidence import asked_terms, evidence

_BATCH = 16  # questions of readers wait for one batch at most; a server gets as many searches at once
_HITS = 10


class Embedding(Protocol):
    """Text -> vectors."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class Searchable(Protocol):
    """An index that need not answer readers yet."""

    async def search(
        self, vector: NDArray[np.float32], query: str, *, limit: int = 10, version: str | None = None
    ) -> list[ScoredChunk]: ...


async def learn(
    chunks: Sequence[Chunk], version: str, embedder: Embedding, index: Searchable, off_topic: Sequence[str]
) -> Manifest:
    """Asks the index of this version the questions about other things and some 200 of its own: a few seconds."""
    vocabulary = vocabulary_of(chunk.embedding_text for chunk in chunks)
    words = load_vocabulary(vocabulary)
    strangers = [
        (asked, *(english_forms(asked, words) if asked_terms(asked) and detect(asked) != "en" else ()))
        for asked in off_topic
    ]
    own = own_questions(chunks)
    strongest = await _strongest({*own, *(form for forms in strangers for form in forms)}, version, embedder, index)
    line = calibrate(
        [max(strongest[form] for form in forms) for forms in strangers], [strongest[asked] for asked in own]
    )
    return Manifest(gate=line.as_json(), vocabulary=vocabulary)


async def _strongest(
    questions: Iterable[str], version: str, embedder: Embedding, index: Searchable
) -> dict[str, float]:
    """Question -> the evidence of its best hit."""
    strongest: dict[str, float] = {}
    asked_once = sorted(questions, key=len)  # texts of one length are embedded fastest together
    for start in range(0, len(asked_once), _BATCH):
        batch = asked_once[start : start + _BATCH]
        pairs = zip(await embedder.embed(batch), batch, strict=True)
        searches = (index.search(vector, asked, limit=_HITS, version=version) for vector, asked in pairs)
        for asked, hits in zip(batch, await asyncio.gather(*searches), strict=True):
            strongest[asked] = max(evidence(hits, asked), default=0.0)
    return strongest
