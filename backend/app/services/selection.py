"""Text that a reader marked on a page: is it the book, and which chunks does it cover? Pure.

Without this check anyone could hand in any text as "the book" and have it explained, at the owner's expense.

Compared by runs of letters (shingles), not of words: the text a browser hands over (`textContent`) glues the last
word of a paragraph to the first of the next.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from backend.app.models.domain import Chunk
from backend.app.services.normalised_text import letters, words
from backend.app.textbook.parser import plain_text

MAX_SELECTION_CHARS = 20_000
MAX_PAGE_CHARS = 500
CONTAINED = 0.9
"""Share of the selection that must stand in the chapter: a page's text as the browser gives it also holds labels
of tabs, copies of formulas and the like."""
_SHINGLE = 24  # letters: about five English words
_STRIDE = 4  # letters from one probe of the selection to the next
_COVERING_PROBES = 2  # the selection holds at least 16 letters of the chunk
_SEARCH_WORDS = 200  # about what the embedder reads


def trim_selection(text: str | None) -> str:
    """At most 20,000 characters; longer is cut. Empty when nothing was marked."""
    return (text or "").strip()[:MAX_SELECTION_CHARS].rstrip()


def search_words(selection: str) -> str:
    return " ".join(selection.split()[:_SEARCH_WORDS])


@dataclass(frozen=True, slots=True)
class PagePlace:
    """A page by all names that it may have in the index, and the heading ("": none)."""

    names: tuple[str, ...]
    anchor: str


def page_place(page: str) -> PagePlace:
    """What a client says of the page that it shows: a chapter id, a route or a whole address, with #heading or not.
    A route may begin with what the book's own lacks: the site's folder, a language."""
    try:
        parts = urlsplit(page.strip()[:MAX_PAGE_CHARS])
    except ValueError:  # no address, whatever it is
        return PagePlace((), "")
    steps = [step for step in unquote(parts.path).split("/") if step]
    tails = ["/".join(steps[start:]) for start in range(len(steps))]
    routes = [f"/{tail}{end}" for tail in tails for end in ("", "/")]
    return PagePlace((*routes, *tails), unquote(parts.fragment.partition(":~:")[0]))


def find_marked_chunks(selection: str, chapter: Sequence[Chunk]) -> list[Chunk]:
    """The chunks that the selection covers, in reading order; empty when it is not from this chapter.

    A selection shorter than a shingle counts when its words stand in one chunk, side by side.
    """
    squashed = letters(selection)
    if len(squashed) < _SHINGLE:
        return [chunk for chunk in chapter if squashed and words(selection) in _page_words(_shown(chunk))]
    pages = [_page_letters(_shown(chunk)) for chunk in chapter]
    probes = range(0, len(squashed) - _SHINGLE + 1, _STRIDE)
    places = _places("".join(pages))
    found = [place for at in probes if (place := places.get(squashed[at : at + _SHINGLE])) is not None]
    if not found or len(found) < CONTAINED * len(probes):
        return []
    owners = [number for number, page in enumerate(pages) for _ in page]
    covered = Counter(owners[place + _SHINGLE // 2] for place in found)
    needed = min(_COVERING_PROBES, max(covered.values()))
    return [chunk for number, chunk in enumerate(chapter) if covered[number] >= needed]


def _places(text: str) -> dict[str, int]:
    """Each shingle of the text with the first place where it begins: the book's overview, which repeats what stands
    on its pages, comes last."""
    return {text[start : start + _SHINGLE]: start for start in range(len(text) - _SHINGLE, -1, -1)}


def _shown(chunk: Chunk) -> str:
    """A selection that crosses a heading holds the heading's words too."""
    return f"{chunk.section}\n\n{chunk.text}"


@lru_cache(maxsize=2_000)
def _page_letters(markdown: str) -> str:
    """Remembered: parsing a chapter's Markdown takes tens of milliseconds, and readers mark the same chapters."""
    return letters(plain_text(markdown))


@lru_cache(maxsize=2_000)
def _page_words(markdown: str) -> str:
    return words(plain_text(markdown))
