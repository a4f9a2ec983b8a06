"""Chapters of the book: the list, one chapter, and which chapter a client means.

Frontends name a chapter in many ways: the Docusaurus id (`module-1/intro`), the file
(`01-module-1/02-intro.md`), its stem (`intro`), a slug or permalink with or without `/docs` and the site's
baseUrl, or a dashed path (`module-1-intro`). All of them lead to the same chapter; a name that fits two
chapters leads to none.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Protocol
from urllib.parse import unquote, urlsplit

from backend.app.errors import ChapterNotFound, UnknownChapter
from backend.app.models.domain import Chapter, ChapterId, ChapterSummary
from backend.app.models.text import is_storable

_NUMBER_PREFIX = re.compile(r"^\d+\s*[-_.]+\s*(?=\S)")
_EXTENSION = re.compile(r"\.mdx?$")
_BASE_URL_SEGMENTS = 2  # "/ur/my-site/docs/intro": a locale and a baseUrl may stand before the route
_NEAREST = 3
_NEAR = 0.6  # the share of two names that is the same; difflib's own bound for "close"
_MAX_COMPARED_CHARS = 200  # comparing takes the product of both lengths


class ChapterStore(Protocol):
    """What this service needs of the database."""

    async def list_chapters(self) -> list[ChapterSummary]: ...
    async def find_chapter(self, chapter_id: ChapterId) -> Chapter | None: ...


class ChapterService:
    """Reads chapters; never writes them: only `ingest` changes the book."""

    def __init__(self, store: ChapterStore) -> None:
        self._store = store

    async def list_chapters(self) -> list[ChapterSummary]:
        """All chapters in reading order."""
        return await self._store.list_chapters()

    async def get_chapter(self, reference: str) -> Chapter:
        """The chapter that `reference` names. Raises ChapterNotFound."""
        if not is_storable(reference):  # which the database would call a bad request
            raise ChapterNotFound
        exact = await self._store.find_chapter(ChapterId(reference))
        if exact is not None:
            return exact
        chapter = await self._store.find_chapter(await self.get_chapter_id(reference))
        if chapter is None:
            raise ChapterNotFound
        return chapter

    async def get_chapter_id(self, reference: str) -> ChapterId:
        """The id alone. One statement. Raises ChapterNotFound."""
        chapter_id = _chosen(reference, await self._store.list_chapters())
        if chapter_id is None:
            raise ChapterNotFound
        return chapter_id

    async def choose_chapter(self, reference: str) -> ChapterSummary:
        """The same for a name that stands in a body. Raises UnknownChapter with the nearest ids."""
        chapters = await self._store.list_chapters()
        chapter_id = _chosen(reference, chapters)
        if chapter_id is None:
            raise UnknownChapter(nearest_ids(reference, chapters))
        return next(chapter for chapter in chapters if chapter.chapter_id == chapter_id)

    async def choose_whole_chapter(self, reference: str) -> Chapter:
        """The same with its text; one statement for the id itself."""
        exact = await self._store.find_chapter(ChapterId(reference))
        if exact is not None:
            return exact
        chosen = await self._store.find_chapter((await self.choose_chapter(reference)).chapter_id)
        if chosen is None:  # left the book between two statements
            raise UnknownChapter
        return chosen


def _chosen(reference: str, chapters: Sequence[ChapterSummary]) -> ChapterId | None:
    """An id means itself, whatever else goes by that name."""
    ids = {str(chapter.chapter_id): chapter.chapter_id for chapter in chapters}
    return ids.get(reference) or resolve_reference(reference, chapters)


def resolve_reference(reference: str, chapters: Iterable[ChapterSummary]) -> ChapterId | None:
    """The id of the one chapter that `reference` names, None when there is none or more than one."""
    chapters = list(chapters)
    wanted = _normalise(reference)
    routes = {_normalise(chapter.url): chapter.chapter_id for chapter in chapters}
    for dropped in range(_BASE_URL_SEGMENTS + 1):
        route = "/".join(wanted.split("/")[dropped:])
        if route and route in routes:
            return routes[route]
    named = {chapter.chapter_id for chapter in chapters if wanted in _names(chapter)}
    if not named:
        named = {chapter.chapter_id for chapter in chapters if wanted == _names(chapter)[0].rpartition("/")[2]}
    return named.pop() if len(named) == 1 else None


def nearest_ids(reference: str, chapters: Sequence[ChapterSummary]) -> list[ChapterId]:
    """Up to three chapters that a name may mean, the likeliest first; of equal ones in the order of `chapters`."""
    wanted = SequenceMatcher(autojunk=False)
    wanted.set_seq2(_normalise(reference)[-_MAX_COMPARED_CHARS:])
    likeness = {chapter.chapter_id: _likeness(wanted, chapter) for chapter in chapters}
    near = [chapter_id for chapter_id, ratio in likeness.items() if ratio]
    return sorted(near, key=lambda chapter_id: -likeness[chapter_id])[:_NEAREST]


def _likeness(wanted: "SequenceMatcher[str]", chapter: ChapterSummary) -> float:
    """How much of the names is the same, 0 when they are not close."""
    chapter_id = _normalise(chapter.chapter_id)
    best = 0.0
    for name in (chapter_id, chapter_id.rpartition("/")[2]):
        wanted.set_seq1(name)
        if wanted.real_quick_ratio() >= _NEAR and wanted.quick_ratio() >= _NEAR:  # upper bounds, and much cheaper
            best = max(best, wanted.ratio())
    return best if best >= _NEAR else 0.0


def _names(chapter: ChapterSummary) -> tuple[str, ...]:
    chapter_id = _normalise(chapter.chapter_id)
    without_docs = _normalise(chapter.url).removeprefix("docs/")
    return chapter_id, chapter_id.replace("/", "-"), without_docs, without_docs.replace("/", "-")


def _normalise(reference: str) -> str:
    path = unquote(urlsplit(reference.strip()).path) if "://" in reference else unquote(reference.strip())
    path = _EXTENSION.sub("", path.partition("#")[0].partition("?")[0].strip("/").casefold())
    return "/".join(_NUMBER_PREFIX.sub("", segment) for segment in path.split("/"))
