"""A book -> the one passage that tells what the whole book is about, in its own words: what its first page says,
section by section, the titles of its chapters and how each of them begins.

No page answers "What is this book about?" or "Which chapters are there?". Every line of the passage stands on a page
of the book; its place is the first page. It is searched by the chapters' titles and by the words of such questions.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from backend.app.models.domain import Chapter, Chunk
from backend.app.textbook.docusaurus import Book
from backend.app.textbook.parser import Section, parse_sections
from backend.app.textbook.splitting import CountTokens, split_sentences

FEWEST_CHAPTERS = 3
_LONGEST = 3_000  # characters: about half of what is read for one answer
_LONGEST_BEGINNING = 1_500  # characters about the first page
_SENTENCE = range(30, 220)  # characters of one that tells something and leaves room for the others
_ASKED_WITH = (
    "About this book. Overview, introduction, summary, table of contents, list of chapters and topics: what this "
    "book or course covers and teaches, what you will learn."
)


def overview_chunk(book: Book, position: int, count_tokens: CountTokens, limit: int) -> Chunk | None:
    """None for a book of fewer than three chapters: its pages are the overview."""
    if len(book.chapters) < FEWEST_CHAPTERS:
        return None
    first = book.chapters[0]
    chunk = Chunk(
        chapter_id=first.chapter_id,
        section=first.title,
        heading_path=(first.title,),
        anchor="",
        url=first.url,
        title=first.title,
        text=_text(book.chapters),
        position=position,
        content_hash="",
    )
    return _searchable(chunk, [chapter.title for chapter in book.chapters], count_tokens, limit)


def _text(chapters: tuple[Chapter, ...]) -> str:
    """With a sentence of each chapter where there is room, else the titles alone."""
    first_page = parse_sections(chapters[0].content, chapters[0].title)
    beginning = _fitting((part for section in first_page for part in _told([section])), _LONGEST_BEGINNING)
    titles = [chapter.title for chapter in chapters[1:]]
    told = [part for chapter in chapters[1:] for part in _told(parse_sections(chapter.content, chapter.title))]
    full = "\n\n".join([*beginning, *told])
    return full if len(full) <= _LONGEST else "\n\n".join(_fitting([*beginning, *titles], _LONGEST))


def _told(sections: Sequence[Section]) -> list[str]:
    """The first of the titles, and the first sentence under it."""
    texts = (block.text for section in sections for block in section.blocks if block.kind == "text")
    sentences = (part.strip() for text in texts for part in split_sentences(text))
    first = next((sentence for sentence in sentences if len(sentence) in _SENTENCE), "")
    return [part for part in (sections[0].title, first) if part]


def _fitting(parts: Iterable[str], most: int) -> list[str]:
    """As many as fit, from the first on."""
    kept: list[str] = []
    for part in parts:
        most -= len(part) + 2
        if most < 0:
            break
        kept.append(part)
    return kept


def _searchable(chunk: Chunk, titles: list[str], count_tokens: CountTokens, limit: int) -> Chunk:
    """With as many titles in its words as the embedder reads."""
    while True:
        words = "\n".join([_ASKED_WITH, *titles])
        chunk = replace(chunk, words=words)
        if not titles or count_tokens([chunk.embedding_text])[0] <= limit:
            break
        titles = titles[: len(titles) * 3 // 4]
    digest = hashlib.sha256(chunk.embedding_text.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(chunk, content_hash=digest)
