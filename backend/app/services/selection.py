"""Text that a reader marked on a page: is it the book, and which chunks does it cover? Pure.

Without this check anyone could hand in any text as "the book" and have it explained, at the owner's expense.
"""

from collections.abc import Sequence
from functools import lru_cache

from backend.app.models.domain import Chunk
from backend.app.services.shingles import SHINGLE_CHARS, letters, share, shingles, words
from backend.app.textbook.parser import plain_text

MAX_SELECTION_CHARS = 20_000
CONTAINED = 0.9
"""Share of the selection that must stand in the chapter: a page's text as the browser gives it also holds labels
of tabs, copies of formulas and the like."""
_COVERED_SHINGLES = 10  # a run of 33 letters in common, or all of a shorter text
_SEARCH_WORDS = 200  # about what the embedder reads


def trim_selection(text: str | None) -> str:
    """At most 20,000 characters; longer is cut. Empty when nothing was marked."""
    return (text or "").strip()[:MAX_SELECTION_CHARS].rstrip()


def search_words(selection: str) -> str:
    return " ".join(selection.split()[:_SEARCH_WORDS])


def find_marked_chunks(selection: str, chapter: Sequence[Chunk]) -> list[Chunk]:
    """The chunks that the selection covers, in reading order; empty when it is not from this chapter.

    A selection shorter than a shingle counts when its words stand in one chunk, side by side.
    """
    squashed = letters(selection)
    if len(squashed) < SHINGLE_CHARS:
        return [chunk for chunk in chapter if squashed and words(selection) in _page_words(_shown(chunk))]
    marked = shingles(squashed)
    whole = shingles("".join(letters(_page_text(_shown(chunk))) for chunk in chapter))
    if share(marked, whole) < CONTAINED:
        return []
    return [chunk for chunk in chapter if _covers(marked, chunk)]


def _covers(marked: frozenset[str], chunk: Chunk) -> bool:
    own = shingles(letters(_page_text(_shown(chunk))))
    return bool(own) and len(own & marked) >= min(_COVERED_SHINGLES, len(own), len(marked))


def _shown(chunk: Chunk) -> str:
    """A selection that crosses a heading holds the heading's words too."""
    return f"{chunk.section}\n\n{chunk.text}"


@lru_cache(maxsize=2_000)
def _page_text(markdown: str) -> str:
    """Remembered: parsing a chapter's Markdown takes tens of milliseconds, and readers mark the same chapters."""
    return plain_text(markdown)


def _page_words(markdown: str) -> str:
    return words(_page_text(markdown))
