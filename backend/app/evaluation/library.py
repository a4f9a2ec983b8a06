"""A docs folder or a corpus -> an index to measure on, apart from the one that answers readers.

Reads, cuts and ingests exactly as the product does, into an index in memory; only the vectors are kept, in a folder
under DATA_DIR. So nothing here can touch the site, and any number of processes can measure at once.
"""

import asyncio
import difflib
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.app.errors import EvaluationError
from backend.app.evaluation.question_file import encodable, parse_lines, read_text
from backend.app.evaluation.vector_cache import RememberingEncoder
from backend.app.models.domain import Chapter, ChapterChanges, ChapterId, ChapterSummary
from backend.app.services.embedding_service import EmbeddingService, open_encoder
from backend.app.services.qdrant_service import QdrantService, open_memory_index
from backend.app.textbook.docusaurus import Book, read_book
from backend.app.textbook.ingest import IngestReport, Progress, ingest
from backend.app.utils.config import Settings

FOLDER = "evaluation"
"""Of the kept vectors, under DATA_DIR."""
_LISTED = 10
_SEARCH_TIMEOUT_S = 30.0  # a large corpus on a busy machine is slow, not broken


@dataclass(frozen=True, slots=True)
class Library:
    """`chapters`: what a gold calls a page -> its chapter. `whole_pages`: the passages of a corpus, which are found
    or not as a whole; a book's pages are found by the words on them."""

    book: Book
    embedder: EmbeddingService
    index: QdrantService
    index_version: str
    report: IngestReport
    chapters: Mapping[str, ChapterId]
    whole_pages: bool


def require_pages(pages: Sequence[str], book: Book) -> None:
    """Raises EvaluationError, with near names, unless the book has each page that a gold names."""
    known = _pages(book)
    unknown = [page for page in pages if page not in known]
    if unknown:
        listed = "".join(f"\n  - {page}{_near(page, known)}" for page in unknown[:_LISTED])
        more = f"\n  and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        what = "1 page" if len(unknown) == 1 else f"{len(unknown)} pages"
        raise EvaluationError(
            f"The questions name {what} that {book.root} does not have, or that ingest leaves out:{listed}{more}"
        )


@asynccontextmanager
async def open_library(
    settings: Settings, book: Book, *, whole_pages: bool, progress: Progress | None = None
) -> AsyncGenerator[Library]:
    """The index of a book, built here and gone at the end. Raises BookError as `ingest` does."""
    async with AsyncExitStack() as stack:
        encoder = await asyncio.to_thread(open_encoder, settings)
        embedder = EmbeddingService(encoder, settings.embedding_model)
        stack.callback(embedder.close)
        remembering = RememberingEncoder(encoder, _vectors_file(settings, book, embedder.fingerprint))
        building = EmbeddingService(remembering, settings.embedding_model)
        stack.callback(building.close)
        index = open_memory_index(search_timeout_s=_SEARCH_TIMEOUT_S)
        stack.push_async_callback(index.close)
        report = await ingest(book, building, index, _NoChapters(), progress=progress)
        await asyncio.to_thread(remembering.save)
        version = await index.active_version()
        assert version
        yield Library(book, embedder, index, version, report, _pages(book), whole_pages)


async def read_docs(settings: Settings, docs: Path) -> Book:
    """Raises BookError."""
    return await asyncio.to_thread(read_book, docs, route_base=settings.route_base_path)


def read_corpus(path: Path) -> Book:
    """Each passage as a chapter of its own. Raises EvaluationError with the line that is wrong."""
    chapters: dict[str, Chapter] = {}
    for number, record in parse_lines(path, read_text(path)):
        passage_id, text, title = encodable(str(record.get("id", ""))), record.get("text"), record.get("title") or ""
        if not passage_id or not isinstance(text, str) or not isinstance(title, str):
            raise EvaluationError(f'{path}, line {number}: a passage needs "id" and "text" (and may have a "title").')
        if passage_id in chapters:
            raise EvaluationError(f'{path}, line {number}: the id "{passage_id}" was used before.')
        chapters[passage_id] = _as_chapter(passage_id, encodable(title), encodable(text), len(chapters))
    if not chapters:
        raise EvaluationError(f"{path} holds no passage. Each line is one JSON object.")
    return Book(tuple(chapters.values()), (), (), path)


def _as_chapter(passage_id: str, title: str, text: str, position: int) -> Chapter:
    digest = hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()
    return Chapter(ChapterId(passage_id), title, f"/{passage_id}", "", position, text, digest, passage_id)


def _vectors_file(settings: Settings, book: Book, fingerprint: str) -> Path:
    place = hashlib.sha256(str(book.root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return settings.data_dir / FOLDER / f"vectors-{fingerprint}-{place}.npz"


def _pages(book: Book) -> dict[str, ChapterId]:
    """By path, and by the end of a path where one page alone has it: the folder given may lie above the docs."""
    whole = {chapter.source_path: chapter.chapter_id for chapter in book.chapters}
    ends: dict[str, set[ChapterId]] = {}
    for path, chapter_id in whole.items():
        while path := path.partition("/")[2]:
            ends.setdefault(path, set()).add(chapter_id)
    return {end: next(iter(ids)) for end, ids in ends.items() if len(ids) == 1} | whole


def _near(page: str, known: Mapping[str, Any]) -> str:
    found = difflib.get_close_matches(page, known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""


class _NoChapters:
    """Where whole chapters would be kept: measuring needs passages only."""

    async def list_chapters(self) -> list[ChapterSummary]:
        return []

    async def replace_chapters(self, chapters: Sequence[Chapter]) -> ChapterChanges:
        return ChapterChanges(len(chapters), 0, 0, 0)
