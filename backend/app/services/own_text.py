"""The text that a client wants to have adapted: which chapter of the book it is, or a text of its own.

What is a chapter of the book is read from the book, so nothing that a reader sends is ever adapted under a chapter's
name. What is none is known by the hash of its words alone.
"""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

from backend.app.models.adaptation import Order, Target
from backend.app.models.domain import Chapter, ChapterId
from backend.app.services.chapter_service import ChapterService
from backend.app.services.normalised_text import letters
from backend.app.services.same_text import Squashed, difference
from backend.app.textbook.docusaurus import content_title
from backend.app.textbook.parser import plain_text

_PROBE = 20  # letters; a probe of one page hardly ever stands in another
_PROBES = 64  # of each page, at even distances
_CANDIDATES = 5  # pages that are compared letter by letter: those with the most probes in the text
_FOUND_PROBES = 0.3  # share of a page's probes below which it is no candidate
_CLEARLY = 2.0  # times as far as the best page must be the next one: pages made from one template are near each other
_IMPORT = re.compile(r"^import [^\n]*$", re.MULTILINE)  # of a page's parts, which the book has in their place
_LONGEST = 2  # times the letters of the longest page: what has more is none of them
_TITLE_PLACE = 2_000  # characters in which a text's own heading begins
_TITLE_CHARS = 200


class BookStore(Protocol):
    """What this service needs of the database."""

    async def list_chapter_hashes(self) -> dict[ChapterId, str]: ...
    async def find_chapters(self, ids: Sequence[ChapterId]) -> list[Chapter]: ...


class OwnTexts:
    """Knows every page of the book by its letters; reads again what has changed."""

    def __init__(self, store: BookStore, chapters: ChapterService) -> None:
        self._store = store
        self._chapters = chapters
        self._shelf = Shelf(())
        self._reading = asyncio.Lock()
        self._comparing = asyncio.Lock()  # pure Python: two threads would do no more

    async def order(self, target: Target, reference: str, content: str | None) -> Order:
        """What a request wants: the book's chapter that `content` is, else `content` itself, whatever `reference`
        says; without content the chapter that `reference` names. Raises UnknownChapter."""
        if content is None:
            return Order(target, await self._chapters.choose_whole_chapter(reference))
        shelf = await self._current_shelf()
        async with self._comparing:
            found = await asyncio.to_thread(shelf.find_chapter, content, reference)
        return Order(target, found) if found else Order(target, own_chapter(content), is_own_text=True)

    async def _current_shelf(self) -> "Shelf":
        async with self._reading:
            hashes = await self._store.list_chapter_hashes()
            known = self._shelf.pages
            if hashes != {key: page.chapter.content_hash for key, page in known.items()}:
                changed = [
                    key for key in hashes if key not in known or known[key].chapter.content_hash != hashes[key]
                ]
                kept = [page for key, page in known.items() if key in hashes and key not in changed]
                read = await self._store.find_chapters(changed)
                self._shelf = await asyncio.to_thread(lambda: Shelf([*kept, *map(Page, read)]))
            return self._shelf


def own_chapter(content: str) -> Chapter:
    """A client's text as a chapter that is in no book: its hash is made another way than those of the book's, its id
    cannot be chosen, and white space around it makes no difference."""
    title, body = _title_and_body(content)
    digest = hashlib.sha256(f"a client's own text\0{title}\0{body}".encode()).hexdigest()
    return Chapter(ChapterId(f"own-text/{digest}"), title, "", "", 0, body, digest, "")


class Page:
    """A chapter and its letters."""

    def __init__(self, chapter: Chapter) -> None:
        self.chapter = chapter
        self.raw = letters(chapter.content)
        step = max((len(self.raw) - _PROBE) // _PROBES, 1)
        self.probes = frozenset(self.raw[at : at + _PROBE] for at in range(0, len(self.raw) - _PROBE + 1, step))

    @cached_property
    def forms(self) -> tuple[str, str]:
        """As its Markdown has them and as readers see them. The second takes a while, and is seldom asked for."""
        return self.raw, letters(plain_text(self.chapter.content))

    def difference(self, text: Squashed) -> float | None:
        """Above its text a page shows the way to it, and a title that may stand in the front matter only."""
        return difference(
            text, self.forms, letters(f"{self.chapter.module} {self.chapter.title} {self.chapter.title}")
        )


class Shelf:
    """The pages of one version of the book."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self.pages = {page.chapter.chapter_id: page for page in pages}
        self._longest = max((len(page.raw) for page in self.pages.values()), default=0)
        self._probes: dict[str, list[Page]] = {}
        for page in self.pages.values():
            for probe in page.probes:
                self._probes.setdefault(probe, []).append(page)

    def find_chapter(self, text: str, named: str) -> Chapter | None:
        """The chapter that the text is; None when it is none, or no more one than another. Of chapters with the same
        words the one that the client names, else the first. 60 ms for 20,000 letters."""
        body = _IMPORT.sub("", _title_and_body(text)[1])
        if len(letters(body)) > _LONGEST * self._longest:
            return None
        squashed = Squashed.of(body)
        apart = [
            (found, page)
            for page in self._candidates(squashed.letters)
            if (found := page.difference(squashed)) is not None
        ]
        apart.sort(key=lambda each: (each[0], each[1].chapter.chapter_id != named, each[1].chapter.position))
        if not apart:
            return None
        nearest, best = apart[0]
        doubtful = any(nearest and found < _CLEARLY * nearest and page.raw != best.raw for found, page in apart)
        return None if doubtful else best.chapter

    def _candidates(self, text: str) -> list[Page]:
        runs = {text[at : at + _PROBE] for at in range(len(text) - _PROBE + 1)}
        hits = Counter(page for run in runs & self._probes.keys() for page in self._probes[run])
        shares = {page: count / len(page.probes) for page, count in hits.items()}
        near = [page for page in shares if shares[page] >= _FOUND_PROBES]
        return sorted(near, key=lambda page: (-shares[page], page.chapter.position))[:_CANDIDATES]


def _title_and_body(text: str) -> tuple[str, str]:
    """As the book's own pages are read, without the detours of YAML, which are slow for a text made to be slow."""
    lines = text.lstrip("\ufeff \t\r\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    end = next((number for number, line in enumerate(lines) if number and _is_fence(line)), 0)
    settings = lines[1:end] if _is_fence(lines[0]) else []
    body = "\n".join(lines[end + 1 :] if settings else lines).strip() + "\n"
    titles = [line.partition(":")[2].strip().strip("'\"") for line in settings if line.startswith("title:")]
    title = titles[0] if titles else content_title(body[:_TITLE_PLACE])
    return " ".join(title[:_TITLE_CHARS].split()), body


def _is_fence(line: str) -> bool:
    return line.startswith("---") and not line.strip("- \t")
