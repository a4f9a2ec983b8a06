"""Ingest with the real chunker, embedder and search index; chapters in a store of this file, or in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.app.errors import BookError, BookNotIngested
from backend.app.language import load_vocabulary
from backend.app.models.domain import Chapter, ChapterChanges, ChapterId, ChapterSummary
from backend.app.services.db_service import DBService
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.qdrant_service import QdrantService, open_index
from backend.app.textbook.docusaurus import Book, read_book
from backend.app.textbook.ingest import IngestReport, rehearse
from backend.app.textbook.ingest import ingest as ingest_and_calibrate
from tests.fixtures.retrieval import SearchChoice

pytestmark = pytest.mark.anyio

ingest = partial(ingest_and_calibrate, off_topic=["What is the capital of Peru?"])  # all of them take seconds

NODES = """# Nodes

## What is a node?

A node is a process that performs computation.

## Topics

A topic is a named bus over which nodes exchange messages.

```python
node.create_publisher(String, "chatter", 10)
```
"""
MOTION = """# Motion

## Inverse kinematics

Inverse kinematics finds the joint angles that bring the gripper to a pose.

## A* search

A* expands the node with the lowest cost so far plus the heuristic.
"""
WALKING = "# Walking\n\n## Balance\n\nThe zero moment point must stay inside the support polygon.\n"


def write_book(folder: Path, **pages: str) -> Path:
    docs = folder / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    for page in docs.iterdir():
        page.unlink()
    for name, text in pages.items():
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    return docs


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return read_book(write_book(tmp_path, nodes=NODES, motion=MOTION))


def edited(tmp_path: Path, **pages: str) -> Book:
    return read_book(write_book(tmp_path, **pages))


@dataclass
class Chapters:
    """Chapters in memory, with the contract of the database service."""

    stored: dict[ChapterId, Chapter] = field(default_factory=dict[ChapterId, Chapter])

    async def list_chapters(self) -> list[ChapterSummary]:
        return [ChapterSummary(c.chapter_id, c.title, c.url, c.module, c.position) for c in self.stored.values()]

    async def replace_chapters(self, chapters: Sequence[Chapter]) -> ChapterChanges:
        new = {chapter.chapter_id: chapter for chapter in chapters}
        common = new.keys() & self.stored.keys()
        changed = sum(new[i].content_hash != self.stored[i].content_hash for i in common)
        changes = ChapterChanges(
            len(new) - len(common), changed, len(self.stored) - len(common), len(common) - changed
        )
        self.stored = new
        return changes


class Crash(Exception):
    """The power goes."""


@dataclass
class Fuse:
    """Blows at the call after `calls` calls. `calls` None: never, only counts."""

    calls: int | None = None
    used: int = 0

    def wrap(self, target: Any) -> Any:
        return _Wired(target, self)

    def burn(self) -> None:
        if self.used == self.calls:
            raise Crash
        self.used += 1


class _Wired:
    """Every call of `target` burns the fuse first."""

    def __init__(self, target: Any, fuse: Fuse) -> None:
        self._target, self._fuse = target, fuse

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._fuse.burn()
            return value(*args, **kwargs)

        return call


@dataclass
class Counted:
    """An embedder that counts what it embeds."""

    embedder: EmbeddingService
    embedded: int = 0

    @property
    def dimension(self) -> int:
        return self.embedder.dimension

    @property
    def max_tokens(self) -> int:
        return self.embedder.max_tokens

    @property
    def fingerprint(self) -> str:
        return self.embedder.fingerprint

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        return await self.embedder.embed(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.embedder.count_tokens(texts)


async def ask(index: QdrantService, embedder: EmbeddingService, question: str) -> str:
    hits = await index.search((await embedder.embed([question]))[0], question, limit=1)
    return f"{hits[0].chunk.url}#{hits[0].chunk.anchor}"


async def test_a_book_becomes_searchable(book: Book, embedder: EmbeddingService, index: QdrantService) -> None:
    store, seen = Chapters(), list[tuple[int, int]]()
    report = await ingest(book, embedder, index, store, progress=lambda done, of: seen.append((done, of)))
    assert report.chapters == ChapterChanges(2, 0, 0, 0)
    assert report.chunks == report.embedded == await index.count() == 4
    assert report.reused == 0
    assert report.words_kept >= 0.99
    assert 0 < report.longest_chunk <= 256
    assert report.chunks_per_second > 0
    assert seen[-1] == (4, 4)
    assert len(report.asked_back) == 3
    assert all(asked.right for asked in report.asked_back)
    assert await ask(index, embedder, "What is a topic?") == "/docs/nodes#topics"
    assert set(store.stored) == {"nodes", "motion"}
    words = load_vocabulary((await index.manifest()).vocabulary)
    assert "kinematics" in words
    assert "oyster" not in words


async def test_an_unchanged_book_embeds_and_writes_nothing(
    book: Book, embedder: EmbeddingService, index: QdrantService
) -> None:
    store = Chapters()
    await ingest(book, embedder, index, store)
    version, counted = await index.active_version(), Counted(embedder)
    report = await ingest(book, counted, ReadOnly(index), store)
    assert (report.embedded, report.reused) == (0, 4)
    assert report.chapters == ChapterChanges(0, 0, 0, 2)
    assert counted.embedded == len(report.asked_back)
    assert await index.active_version() == version


class ReadOnly:
    """An index that refuses every write."""

    def __init__(self, index: QdrantService) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        assert name not in {"create", "add", "write_manifest", "activate"}
        return getattr(self._index, name)


async def test_an_edited_page_costs_only_its_own_passages(
    book: Book, embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    store = Chapters()
    await ingest(book, embedder, index, store)
    changed = edited(tmp_path, nodes=NODES.replace("named bus", "named channel"), motion=MOTION)
    report = await ingest(changed, embedder, index, store)
    assert (report.embedded, report.reused) == (1, 3)
    assert report.chapters == ChapterChanges(0, 1, 0, 1)
    texts = [chunk.text for chunk in await index.chapter_chunks(ChapterId("nodes"))]
    assert any("named channel" in text for text in texts)
    assert not any("named bus" in text for text in texts)


async def test_a_removed_page_leaves_nothing_behind_and_a_new_one_is_found(
    book: Book, embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    store = Chapters()
    await ingest(book, embedder, index, store)
    report = await ingest(edited(tmp_path, nodes=NODES, walking=WALKING), embedder, index, store)
    assert report.chapters == ChapterChanges(1, 1, 1, 0)  # `nodes` moved up to the first place
    assert await index.chapter_chunks(ChapterId("motion")) == []
    assert await index.chapter_ids() == {"nodes", "walking"}
    assert await index.count() == 3
    assert await ask(index, embedder, "zero moment point") == "/docs/walking#balance"


async def test_the_same_text_twice_is_embedded_once(
    embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    twice = edited(tmp_path, nodes=NODES, again=NODES)
    report = await ingest(twice, embedder, index, Chapters())
    assert (report.chunks, report.embedded) == (4, 2)


async def test_another_book_is_refused_unless_it_shall_replace(
    book: Book, embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    store = Chapters()
    await ingest(book, embedder, index, store)
    other = edited(tmp_path, walking=WALKING)
    with pytest.raises(BookError, match="--replace"):
        await ingest(other, embedder, index, store)
    assert await index.count() == 4
    assert set(store.stored) == {"nodes", "motion"}
    await ingest(other, embedder, index, store, replace=True)
    assert await index.chapter_ids() == {"walking"} == set(store.stored)


async def test_one_page_of_the_same_name_does_not_make_it_the_same_book(
    embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    store = Chapters()
    await ingest(edited(tmp_path / "one", intro=NODES, nodes=NODES, motion=WALKING), embedder, index, store)
    other = edited(tmp_path / "other", intro=WALKING)
    with pytest.raises(BookError, match="2 of the 3 chapters in use"):
        await ingest(other, embedder, index, store)
    await ingest(edited(tmp_path / "next", intro=NODES, nodes=NODES), embedder, index, store)
    assert set(store.stored) == {"intro", "nodes"}


async def test_chapters_of_another_book_are_refused_where_only_the_index_was_lost(
    book: Book, embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    store = Chapters({chapter.chapter_id: chapter for chapter in book.chapters})
    with pytest.raises(BookError, match="--replace"):
        await ingest(edited(tmp_path, walking=WALKING), embedder, index, store)
    assert set(store.stored) == {"nodes", "motion"}


async def test_any_book_may_take_the_sample_book_s_place(
    book: Book, embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    store, sample = Chapters(), [chapter.chapter_id for chapter in book.chapters]
    await ingest(book, embedder, index, store, sample_chapters=sample)
    await ingest(edited(tmp_path, walking=WALKING), embedder, index, store, sample_chapters=sample)
    assert await index.chapter_ids() == {"walking"}


async def test_replacing_a_book_by_itself_embeds_all_of_it_beside_the_old_one(
    book: Book, embedder: EmbeddingService, index: QdrantService
) -> None:
    store, versions = Chapters(), set[str | None]()
    for _ in range(3):
        report = await ingest(book, embedder, index, store, replace=True)
        assert report.embedded == 4
        versions.add(await index.active_version())
    assert len(versions) == 2
    assert (await ingest(book, embedder, index, store)).embedded == 0


async def test_an_index_that_lost_passages_is_rebuilt(
    book: Book, embedder: EmbeddingService, index: QdrantService
) -> None:
    store = Chapters()
    await ingest(book, embedder, index, store)
    await index._client.delete("textbook_chunks", [0])
    report = await ingest(book, embedder, index, store)
    assert (report.embedded, await index.count()) == (1, 4)


async def test_a_book_without_words_is_refused(
    embedder: EmbeddingService, index: QdrantService, tmp_path: Path
) -> None:
    empty = Book(chapters=(), warnings=(), skipped=(), root=tmp_path)
    with pytest.raises(BookError, match="no text to index"):
        await ingest(empty, embedder, index, Chapters())


async def test_a_rehearsal_counts_and_touches_nothing(book: Book, embedder: EmbeddingService) -> None:
    counted = Counted(embedder)
    report = rehearse(book, counted)
    assert (report.chunks, report.embedded, report.reused, report.chapters) == (4, 0, 0, None)
    assert report.words_kept >= 0.99
    assert counted.embedded == 0


@pytest.mark.chaos
async def test_a_crash_at_any_call_leaves_the_old_book_answering_and_a_rerun_finishes(
    book: Book, embedder: EmbeddingService, tmp_path: Path
) -> None:
    changed = edited(tmp_path, nodes=NODES.replace("named bus", "named channel"), walking=WALKING)
    calls = await _calls_of_a_whole_run(book, changed, embedder, tmp_path)
    assert calls > 15
    for survived in range(calls):
        folder = tmp_path / f"crash-{survived}"
        index, store = open_index(SearchChoice(folder)), Chapters()
        await ingest(book, embedder, index, store)
        fuse = Fuse(survived)
        with pytest.raises(Crash):
            await _run(changed, embedder, index, store, fuse)
        await index.close()
        index = open_index(SearchChoice(folder))  # what a new process finds
        await _old_or_new_book_answers(index, embedder)
        report = await ingest(changed, embedder, index, store)
        assert await index.chapter_ids() == {"nodes", "walking"} == set(store.stored)
        assert len(await index._own_collections()) == 1
        assert all(asked.right for asked in report.asked_back)
        await index.close()


async def _calls_of_a_whole_run(old: Book, new: Book, embedder: EmbeddingService, folder: Path) -> int:
    index, store, fuse = open_index(SearchChoice(folder / "whole")), Chapters(), Fuse()
    await ingest(old, embedder, index, store)
    await _run(new, embedder, index, store, fuse)
    await index.close()
    return fuse.used


async def _run(
    book: Book, embedder: EmbeddingService, index: QdrantService, store: Chapters, fuse: Fuse
) -> IngestReport:
    """Every call to the stores, and every single call to Qdrant inside the index, may be the last."""
    client = index._client
    index._client = fuse.wrap(client)
    try:
        return await ingest(book, fuse.wrap(embedder), index, fuse.wrap(store))
    except BookNotIngested as error:  # not after the first ingest
        raise AssertionError from error
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, Crash):
            cause = cause.__cause__
        raise (cause or error) from error
    finally:
        index._client = client


async def _old_or_new_book_answers(index: QdrantService, embedder: EmbeddingService) -> None:
    """Whole, whichever it is."""
    ids = await index.chapter_ids()
    assert ids in ({"nodes", "motion"}, {"nodes", "walking"})
    assert await index.count() == (4 if "motion" in ids else 3)
    expected = "/docs/motion#a-search" if "motion" in ids else "/docs/walking#balance"
    question = "A* heuristic cost" if "motion" in ids else "zero moment point"
    assert await ask(index, embedder, question) == expected
    assert await ask(index, embedder, "What is a topic?") == "/docs/nodes#topics"


async def test_a_book_is_ingested_into_a_server_and_into_postgres(
    book: Book, embedder: EmbeddingService, remote_index: QdrantService, db: DBService, tmp_path: Path
) -> None:
    report = await ingest(book, embedder, remote_index, db)
    assert report.chapters == ChapterChanges(2, 0, 0, 0)
    assert all(asked.right for asked in report.asked_back)
    again = await ingest(book, embedder, remote_index, db)
    assert again.chapters == ChapterChanges(0, 0, 0, 2)
    assert again.embedded == 0
    with pytest.raises(BookError, match="--replace"):
        await ingest(edited(tmp_path, walking=WALKING), embedder, remote_index, db)
    assert {chapter.chapter_id for chapter in await db.list_chapters()} == {"nodes", "motion"}
