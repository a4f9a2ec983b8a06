"""Sections of a book -> chunks that the embedder reads whole.

Knows the limit of word pieces and how to pack blocks below it. Must not know files or vector stores. A chunk never
crosses a heading, so its anchor is always right. A heading stands in the heading path and not in the text, except
for a section without text of its own, whose chunk is the heading itself. Two runs give equal chunks.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from backend.app.errors import BookError
from backend.app.models.domain import Chapter, Chunk
from backend.app.textbook.docusaurus import Book
from backend.app.textbook.parser import Section, TextBlock, parse_sections, plain_text
from backend.app.textbook.splitting import CountTokens, TokenCosts, citation_blocks, split_block

__all__ = ["chunk_book", "citation_blocks", "words_kept"]

_WORD = re.compile(r"\w+")
_PATH_SHARE = 3  # the heading path may take a third of the limit
_CUT = "…"
_MARGINS = (0, 8, 24, 64)  # word pieces left free when a tokenizer turns out not to be additive at line ends


@dataclass(frozen=True, slots=True)
class _Unit:
    """A section to be chunked with the chapter it stands in; `path` is already short enough."""

    chapter: Chapter
    section: Section
    path: tuple[str, ...]


def chunk_book(book: Book, count_tokens: CountTokens, limit: int = 256) -> list[Chunk]:
    """All chunks in reading order, none above `limit` word pieces of `embedding_text`, special tokens included.

    `count_tokens` counts without truncation; it is called a few times with many texts. Raises BookError when a
    chunk stays above the limit (never truncates).
    """
    costs = TokenCosts(count_tokens)
    units = list(_units(book, costs, limit))
    texts = _fitting_texts(units, costs, count_tokens, limit)
    parts = [(unit, piece) for unit, pieces in zip(units, texts, strict=True) for piece in pieces]
    chunks = [_chunk(unit, piece, position) for position, (unit, piece) in enumerate(parts)]
    return [_hashed(chunk) for chunk in _searched_as_shown(chunks, count_tokens, limit)]


def words_kept(book: Book, chunks: Sequence[Chunk]) -> float:
    """Share of the book's prose words (`plain_text`: no quizzes, no imports) that stand in some chunk of their
    chapter, counted as a multiset: 1.0 = none lost. A heading counts once per heading path, however many chunks
    carry it."""
    kept: dict[str, Counter[str]] = {}
    seen: set[tuple[str, ...]] = set()
    for chunk in chunks:
        words = kept.setdefault(chunk.chapter_id, Counter())
        words.update(_words(plain_text(chunk.text)))
        for depth in range(1, len(chunk.heading_path) + 1):
            path = (chunk.chapter_id, *chunk.heading_path[:depth])
            if path not in seen:
                seen.add(path)
                words.update(_words(chunk.heading_path[depth - 1]))
    total = found = 0
    for chapter in book.chapters:
        wanted = Counter(_words(plain_text(chapter.content)))
        total += wanted.total()
        found += (wanted & kept.get(chapter.chapter_id, Counter())).total()
    return found / total if total else 1.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _units(book: Book, costs: TokenCosts, limit: int) -> Iterator[_Unit]:
    found: list[tuple[Chapter, Section]] = []
    for chapter in book.chapters:
        sections = parse_sections(chapter.content, chapter.title)
        found.extend((chapter, section) for section in _with_text(sections))
    costs.prime([_joined(section.heading_path) for _, section in found])
    costs.prime([block.text for _, section in found for block in section.blocks])
    for chapter, section in found:
        yield _Unit(chapter, section, _short_path(section.heading_path, limit // _PATH_SHARE, costs))


def _with_text(sections: Sequence[Section]) -> Iterator[Section]:
    """Sections that have something to index. A heading directly above its first subheading lives on in that one's
    path; any other heading without text becomes its own text, so that it can be found."""
    for section, following in zip(sections, [*sections[1:], None], strict=True):
        depth = len(section.heading_path)
        leads_on = following is not None and following.heading_path[:depth] == section.heading_path
        if section.blocks:
            yield section
        elif section.source and not (leads_on and following and len(following.heading_path) > depth):
            yield replace(section, blocks=(TextBlock("heading", section.source),))


def _fitting_texts(
    units: Sequence[_Unit], costs: TokenCosts, count_tokens: CountTokens, limit: int
) -> list[list[str]]:
    """The texts of each unit's chunks, verified as a whole; units over the limit are packed again with more room."""
    texts: list[list[str]] = [[] for _ in units]
    waiting = list(range(len(units)))
    for margin in _MARGINS:
        for number in waiting:
            unit = units[number]
            budget = limit - costs.specials - costs.cost(_joined(unit.path)) - margin
            texts[number] = _pack(unit.section.blocks, max(budget, 8), costs)
        whole = [(number, f"{_joined(units[number].path)}\n{text}") for number in waiting for text in texts[number]]
        counts = count_tokens([text for _, text in whole]) if whole else []
        over = {number for (number, _), count in zip(whole, counts, strict=True) if count > limit}
        waiting = sorted(over)
        if not waiting:
            return texts
    unit = units[waiting[0]]
    raise BookError(
        f"{unit.chapter.source_path}: the section '{unit.section.title}' cannot be cut to {limit} word pieces."
    )


def _pack(blocks: Sequence[TextBlock], budget: int, costs: TokenCosts) -> list[str]:
    """Greedy: neighbouring blocks share a chunk while they fit; a block that fits a chunk alone is never cut."""
    texts: list[str] = []
    current, used = "", 0
    for block in blocks:
        cost = costs.cost(block.text)
        if current and used + cost <= budget:
            current += ("\n" if block.tight else "\n\n") + block.text
            used += cost
            continue
        if current:
            texts.append(current)
        pieces = [block.text] if cost <= budget else split_block(block, budget, costs)
        texts.extend(pieces[:-1])
        current = pieces[-1] if pieces else ""
        used = costs.cost(current) if current else 0
    if current:
        texts.append(current)
    return [text for text in texts if text.strip()]


def _joined(path: Sequence[str]) -> str:
    return " > ".join(path)


def _short_path(path: tuple[str, ...], budget: int, costs: TokenCosts) -> tuple[str, ...]:
    """The path within `budget` word pieces: levels from the middle give way to one "…", then words of the middle of
    the longest name. The chapter's title stays first, the section's own name last."""
    names, shown = list(path), path
    while costs.cost(_joined(shown)) > budget and len(names) > 2:
        gap = len(names) // 2
        del names[gap]
        shown = (*names[:gap], _CUT, *names[gap:])
    while costs.cost(_joined(shown)) > budget:
        longest = max(range(len(shown)), key=lambda at: costs.cost(shown[at]))
        shorter = _cut_middle(shown[longest])
        if shorter == shown[longest]:
            break
        shown = (*shown[:longest], shorter, *shown[longest + 1 :])
    return shown


def _cut_middle(name: str) -> str:
    """About two thirds of a name: its first and last words around "…", or characters when it is one word."""
    words = name.replace(_CUT, " ").split()
    if len(words) > 2:
        keep = max(1, len(words) // 3)
        return " ".join([*words[:keep], _CUT, *words[-keep:]])
    text = "".join(words)
    return f"{text[: len(text) // 3]}{_CUT}" if len(text) > 6 else _CUT


def _searched_as_shown(chunks: Sequence[Chunk], count_tokens: CountTokens, limit: int) -> list[Chunk]:
    """Each chunk with its `words`, unless they would be over the limit: the text itself is known to fit."""
    shown = [replace(chunk, words=_shown_words(chunk.text)) for chunk in chunks]
    counts = count_tokens([chunk.embedding_text for chunk in shown]) if shown else []
    return [new if count <= limit else old for old, new, count in zip(chunks, shown, counts, strict=True)]


def _shown_words(text: str) -> str:
    """Markup is no word: it would only blur the vector and the word counts."""
    words = plain_text(text)
    return "" if words == text.strip() else words


def _chunk(unit: _Unit, text: str, position: int) -> Chunk:
    return Chunk(
        chapter_id=unit.chapter.chapter_id,
        section=unit.section.title,
        heading_path=unit.path,
        anchor=unit.section.anchor,
        url=unit.chapter.url,
        title=unit.chapter.title,
        text=text,
        position=position,
        content_hash="",
    )


def _hashed(chunk: Chunk) -> Chunk:
    digest = hashlib.sha256(chunk.embedding_text.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(chunk, content_hash=digest)
