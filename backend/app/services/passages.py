"""Hits -> the passages that one question is answered from: no repetition, within a token budget, cut into the
blocks that a citation can point at. Pure; knows neither search nor Claude.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from backend.app.models.domain import Chunk, ScoredChunk
from backend.app.services.normalised_text import words
from backend.app.textbook.chunker import citation_blocks

MAX_PASSAGE_TOKENS = 2_200
SAME_TEXT = 0.9  # share of the shorter text's pairs of words that makes two passages one
_SIGNS = bytes(code for code in range(128) if not (chr(code).isalpha() or chr(code) == " "))
_SECTION_TOKENS = 800  # the best hit is read with its section up to here: about two chunks


@dataclass(frozen=True)
class Passage:
    """Neighbouring chunks of one section around a hit, as they are sent; `hit.chunk` is one of `chunks`. Joined,
    `blocks` are the passage's text."""

    hit: ScoredChunk
    chunks: tuple[Chunk, ...]

    @cached_property
    def source(self) -> str:
        """Unique in the book: the position counts its chunks, and no chunk is in two passages. Where that is says
        `title`, which the model reads anyway."""
        return f"book://chunk-{self.hit.chunk.position}"

    @cached_property
    def title(self) -> str:
        return " > ".join(self.hit.chunk.heading_path)

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        return tuple(block for _, blocks in self._parts for block in blocks)

    @cached_property
    def text(self) -> str:
        return "".join(self.blocks)

    def chunk_at(self, block: int) -> Chunk:
        """The chunk that block number `block` (from 0) belongs to."""
        ends = list(accumulate(len(blocks) for _, blocks in self._parts))
        return self.chunks[bisect_right(ends, block)]

    def block_at(self, character: int) -> int:
        """The number of the block in which character number `character` (from 0) of the text stands."""
        return bisect_right(list(accumulate(map(len, self.blocks))), character)

    @cached_property
    def _parts(self) -> tuple[tuple[Chunk, tuple[str, ...]], ...]:
        """Each chunk with its blocks; a blank line stands between two chunks, at the end of the earlier one."""
        *early, last = self.chunks
        return (*((chunk, _blocks(f"{chunk.text}\n\n")) for chunk in early), (last, _blocks(last.text)))


def pack(
    hits: Iterable[ScoredChunk], around: Mapping[int, Chunk] | None = None, max_tokens: int = MAX_PASSAGE_TOKENS
) -> tuple[Passage, ...]:
    """Take hits in the order given while they fit; one that is too large does not stop smaller ones after it.

    The first is read with what stands around it in its section, as far as `around` (chunks by position) and 800
    tokens go. A hit next to one of its own section joins that passage. A text that (nearly) repeats one already taken
    is skipped: the same page indexed under two routes must not crowd out the rest.
    """
    packing = _Packing(max_tokens)
    for hit in hits:
        if packing.take(hit) and len(packing.runs) == 1:
            packing.grow(packing.runs[0], around or {})
    return tuple(Passage(run.hit, tuple(run.chunks)) for run in packing.runs)


@dataclass(slots=True)
class _Run:
    """A passage that may still become longer."""

    hit: ScoredChunk
    chunks: list[Chunk]


class _Packing:
    """What was taken and how much room is left."""

    def __init__(self, max_tokens: int) -> None:
        self.runs: list[_Run] = []
        self._left = max_tokens
        self._seen: list[frozenset[tuple[str, str]]] = []

    def take(self, hit: ScoredChunk) -> bool:
        """Whether the hit is among the passages now."""
        beside = next((run for run in self.runs if _is_beside(hit.chunk, run.chunks)), None)
        frame = 0 if beside else estimate_tokens(Passage(hit, (hit.chunk,)).title)
        if not self._has_room(hit.chunk, frame, self._left):
            return False
        self._spend(hit.chunk, frame)
        if beside:
            _join(beside.chunks, hit.chunk)
        else:
            self.runs.append(_Run(hit, [hit.chunk]))
        return True

    def grow(self, run: _Run, around: Mapping[int, Chunk]) -> None:
        """Neighbours of the same section, by turns the one after and the one before."""
        left = min(self._left, _SECTION_TOKENS - sum(estimate_tokens(chunk.text) for chunk in run.chunks))
        sides = [1, -1]
        while sides:
            side = sides.pop(0)
            position = run.chunks[-1].position + 1 if side > 0 else run.chunks[0].position - 1
            near = around.get(position)
            if near and _is_beside(near, run.chunks) and self._has_room(near, 0, left):
                left -= self._spend(near, 0)
                _join(run.chunks, near)
                sides.append(side)

    def _has_room(self, chunk: Chunk, frame: int, left: int) -> bool:
        marks = _word_pairs(chunk.text)
        fits = frame + estimate_tokens(chunk.text) <= left
        return bool(marks) and fits and not any(_same(marks, other) for other in self._seen)

    def _spend(self, chunk: Chunk, frame: int) -> int:
        cost = frame + estimate_tokens(chunk.text)
        self._left -= cost
        self._seen.append(_word_pairs(chunk.text))
        return cost


def _is_beside(chunk: Chunk, chunks: Sequence[Chunk]) -> bool:
    """Whether it is the neighbour of these chunks within one section."""
    is_next = chunk.position in (chunks[0].position - 1, chunks[-1].position + 1)
    return is_next and _section(chunk) == _section(chunks[0])


def _section(chunk: Chunk) -> tuple[str, str, tuple[str, ...]]:
    return chunk.chapter_id, chunk.anchor, chunk.heading_path


def _join(chunks: list[Chunk], chunk: Chunk) -> None:
    chunks.insert(0 if chunk.position < chunks[0].position else len(chunks), chunk)


def estimate_tokens(text: str) -> int:
    """There is no public tokenizer. 3.2 characters a token for words (3.6 was counted for English prose), 2 for the
    signs and digits that code is full of, 1 for every other script. A little more than is billed; what money is
    reserved for is another, upper estimate."""
    basic = text.encode("ascii", "ignore")
    plain = len(basic.translate(None, _SIGNS))
    return math.ceil(plain / 3.2 + (len(basic) - plain) / 2 + (len(text) - len(basic)))


@lru_cache(maxsize=1_000)
def _blocks(text: str) -> tuple[str, ...]:
    """Remembered: it parses Markdown, ~0.5 ms a passage, and the same passages answer many questions."""
    return tuple(citation_blocks(text))


@lru_cache(maxsize=1_000)
def _word_pairs(text: str) -> frozenset[tuple[str, str]]:
    """Neighbouring words; the first and last are each a pair with nothing. Empty for a text without words."""
    found = words(text).split()
    return frozenset(zip(["", *found], [*found, ""], strict=True)) if found else frozenset()


def _same(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    return len(one & other) >= SAME_TEXT * min(len(one), len(other))
