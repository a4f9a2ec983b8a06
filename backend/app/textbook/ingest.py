"""A book -> the index that answers: the order of steps, and what may be interrupted.

Knows what must happen before what. Must not know files, Postgres or Qdrant: they are handed in. Nothing that
answers is touched until everything new is in place: the index is built beside the old one, then the chapters are
replaced in one transaction, then the index is switched in one step. After a crash anywhere the old index answers, and
running again finishes.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.app.errors import BookError
from backend.app.models.domain import (
    MANIFEST_FORMAT,
    Chapter,
    ChapterChanges,
    ChapterId,
    ChapterSummary,
    Chunk,
    Manifest,
    ScoredChunk,
)
from backend.app.textbook.analyzer import ANALYZER_VERSION
from backend.app.textbook.calibration import Calibration, off_topic_questions, read_calibration
from backend.app.textbook.chunker import chunk_book, words_kept
from backend.app.textbook.docusaurus import Book
from backend.app.textbook.learning import learn
from backend.app.textbook.overview import overview_chunk

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (passages embedded so far, passages to embed)."""

_EMBED_BATCH = 16  # questions that arrive meanwhile wait for one batch at most
_WRITE_BATCH = 64
_SELF_TEST_QUESTIONS = 3
_READ_FOR_AN_ANSWER = 5  # neighbouring sections on one subject may come first


class Embedder(Protocol):
    """Text -> vectors (see `embedding_service`)."""

    @property
    def dimension(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    async def embed(self, texts: Sequence[str]) -> Vectors: ...
    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


class Index(Protocol):
    """Where passages are searched (see `qdrant_service`)."""

    async def active_version(self) -> str | None: ...
    async def count(self) -> int: ...
    async def chapter_ids(self) -> set[ChapterId]: ...
    async def refuse_foreign_collection(self, failure: type[BookError]) -> None: ...
    async def stored_vectors(self, fingerprint: str) -> dict[str, Vectors]: ...
    async def create(self, version: str, dimension: int) -> None: ...
    async def add(self, version: str, chunks: Sequence[Chunk], vectors: Vectors) -> None: ...
    async def write_manifest(self, version: str, manifest: Manifest) -> None: ...
    async def activate(self, version: str) -> None: ...
    async def drop_inactive(self) -> None: ...
    async def manifest(self) -> Manifest: ...
    async def search(
        self, vector: Vectors, query: str, *, limit: int = 10, version: str | None = None
    ) -> list[ScoredChunk]: ...


class ChapterStore(Protocol):
    """Where whole chapters are kept (see `db_service`)."""

    async def list_chapters(self) -> list[ChapterSummary]: ...
    async def replace_chapters(self, chapters: Sequence[Chapter]) -> ChapterChanges: ...


@dataclass(frozen=True, slots=True)
class AskedBack:
    """A heading of the book asked as a question; `right` when its section is among the first five hits: then `found`
    is its link, else the best hit's."""

    question: str
    expected: str
    found: str
    right: bool


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What happened. `chapters` and `gate` are None after a rehearsal; `words_kept` is a share, 1.0 = all;
    `longest_chunk` in word pieces."""

    chapters: ChapterChanges | None
    chunks: int
    embedded: int
    reused: int
    words_kept: float
    longest_chunk: int
    seconds: float
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]
    asked_back: tuple[AskedBack, ...]
    gate: Calibration | None

    @property
    def chunks_per_second(self) -> float:
        """Speed of embedding; 0 when nothing had to be embedded."""
        return self.embedded / self.seconds if self.embedded else 0.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """The book, cut. Two versions mean the same content: rebuilding beside an index takes the other one."""

    book: Book
    chunks: list[Chunk]
    longest: int
    versions: tuple[str, str]


def rehearse(book: Book, embedder: Embedder) -> IngestReport:
    """Cuts and counts like `ingest`, but embeds nothing and needs no store. Raises BookError as `ingest` would."""
    started = time.monotonic()
    return _report(_plan(book, embedder), started, embedded=0, reused=0)


async def ingest(
    book: Book,
    embedder: Embedder,
    index: Index,
    chapters_store: ChapterStore,
    *,
    replace: bool = False,
    sample_chapters: Collection[ChapterId] = (),
    progress: Progress | None = None,
    off_topic: Sequence[str] | None = None,
) -> IngestReport:
    """Makes the index and the stored chapters mirror `book`; a page that is gone leaves nothing behind.

    An unchanged book costs no embedding and no write; an edited page costs its own chunks. `replace` embeds all of it
    anew and lets another book go; `sample_chapters` (of the bundled sample) may always go; `off_topic`: what the gate
    shall refuse (default: the stored questions). Raises BookError when the
    book cannot be used or another one would be lost, and the stores' own failures.
    """
    started = time.monotonic()
    plan = _plan(book, embedder)
    if not replace:
        await _refuse_to_lose_another_book(book, index, chapters_store, sample_chapters)
    active = await index.active_version()
    embedded = 0
    if not replace and active in plan.versions and await index.count() == len(plan.chunks):
        changes = await chapters_store.replace_chapters(book.chapters)
        await index.drop_inactive()
    else:
        version = plan.versions[active == plan.versions[0]]
        vectors = {} if replace else await index.stored_vectors(embedder.fingerprint)
        embedded = await _build(plan.chunks, version, vectors, (embedder, index), progress)
        strangers = off_topic_questions() if off_topic is None else off_topic
        learnt = await learn(plan.chunks, version, embedder, index, strangers)
        await index.write_manifest(version, learnt)
        changes = await chapters_store.replace_chapters(book.chapters)
        await index.activate(version)
    answers = await _ask_back(plan.chunks, embedder, index)
    gate = read_calibration((await index.manifest()).gate)
    return _report(plan, started, embedded, len(plan.chunks) - embedded, changes, answers, gate)


def _plan(book: Book, embedder: Embedder) -> _Plan:
    chunks = chunk_book(book, embedder.count_tokens, embedder.max_tokens)
    if not chunks:
        raise BookError(f"{book.root} has no text to index: no page with words was found.")
    if [chunk.position for chunk in chunks] != list(range(len(chunks))):
        raise BookError("The chunks of this book are not numbered from 0 without gaps. Nothing was written.")
    overview = overview_chunk(book, len(chunks), embedder.count_tokens, embedder.max_tokens)
    chunks.extend([overview] if overview else [])
    counts = embedder.count_tokens([chunk.embedding_text for chunk in chunks])
    longest = max(counts)
    if longest > embedder.max_tokens:
        worst = chunks[counts.index(longest)]
        raise BookError(
            f"A passage of {worst.chapter_id}, section '{worst.section}', has {longest} word pieces; the embedding "
            f"model reads {embedder.max_tokens}. Nothing was written."
        )
    return _Plan(book, chunks, longest, _versions(chunks, embedder.fingerprint))


def _versions(chunks: Sequence[Chunk], fingerprint: str) -> tuple[str, str]:
    """Equal versions answer equally: the model, the analyzer, the manifest's format, and everything that is stored
    about each chunk."""
    content = hashlib.sha256(f"manifest {MANIFEST_FORMAT}".encode())
    for chunk in chunks:
        content.update(repr(astuple(chunk)).encode("utf-8", "backslashreplace"))
    first = content.hexdigest()[:12]
    content.update(b"rebuilt")
    second = content.hexdigest()[:12]
    return f"{fingerprint}-{ANALYZER_VERSION}-{first}", f"{fingerprint}-{ANALYZER_VERSION}-{second}"


async def _refuse_to_lose_another_book(
    book: Book, index: Index, store: ChapterStore, sample_chapters: Collection[ChapterId]
) -> None:
    await index.refuse_foreign_collection(BookError)
    held = await index.chapter_ids() | {summary.chapter_id for summary in await store.list_chapters()}
    others = held - set(sample_chapters)
    lost = others.difference(chapter.chapter_id for chapter in book.chapters)
    if len(lost) * 2 > len(others):
        raise BookError(
            f"{len(lost)} of the {len(others)} chapters in use, among them '{min(lost)}', are not in {book.root}. "
            "If it is another book that should take their place, add --replace."
        )


async def _build(
    chunks: Sequence[Chunk],
    version: str,
    vectors: dict[str, Vectors],
    services: tuple[Embedder, Index],
    progress: Progress | None,
) -> int:
    """Writes the new index beside the old one; adds to `vectors` what it lacks. Returns how many it lacked."""
    embedder, index = services
    await index.create(version, embedder.dimension)
    missing = list({c.content_hash: c.embedding_text for c in chunks if c.content_hash not in vectors}.items())
    for start in range(0, len(missing), _EMBED_BATCH):
        batch = missing[start : start + _EMBED_BATCH]
        embedded = await embedder.embed([text for _, text in batch])
        vectors.update(zip((content_hash for content_hash, _ in batch), embedded, strict=True))
        if progress:
            progress(start + len(batch), len(missing))
    for start in range(0, len(chunks), _WRITE_BATCH):
        batch = chunks[start : start + _WRITE_BATCH]
        await index.add(version, batch, np.stack([vectors[chunk.content_hash] for chunk in batch]))
    return len(missing)


async def _ask_back(chunks: Sequence[Chunk], embedder: Embedder, index: Index) -> tuple[AskedBack, ...]:
    """Three headings spread over the book, asked as a reader would: does the search find their sections?"""
    named = [chunk for chunk in chunks if chunk.anchor and chunk.section] or list(chunks)
    spread = {len(named) * part // (_SELF_TEST_QUESTIONS + 1) for part in range(1, _SELF_TEST_QUESTIONS + 1)}
    asked: list[AskedBack] = []
    for chunk in (named[i] for i in sorted(spread)):
        question = " ".join(chunk.heading_path)
        hits = await index.search((await embedder.embed([question]))[0], question, limit=_READ_FOR_AN_ANSWER)
        links = [_link(hit.chunk) for hit in hits]
        right = _link(chunk) in links
        asked.append(AskedBack(question, _link(chunk), _link(chunk) if right else links[0], right))
    return tuple(asked)


def _link(chunk: Chunk) -> str:
    return f"{chunk.url}#{chunk.anchor}" if chunk.anchor else chunk.url


def _report(
    plan: _Plan,
    started: float,
    embedded: int,
    reused: int,
    changes: ChapterChanges | None = None,
    asked_back: tuple[AskedBack, ...] = (),
    gate: Calibration | None = None,
) -> IngestReport:
    return IngestReport(
        chapters=changes,
        chunks=len(plan.chunks),
        embedded=embedded,
        reused=reused,
        words_kept=words_kept(plan.book, plan.chunks),
        longest_chunk=plan.longest,
        seconds=time.monotonic() - started,
        warnings=plan.book.warnings,
        skipped=plan.book.skipped,
        asked_back=asked_back,
        gate=gate,
    )
