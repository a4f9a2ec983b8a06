"""Hits -> the passages that one question is answered from: no repetition, within a token budget, cut into the
blocks that a citation can point at. Pure; knows neither search nor Claude.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from backend.app.models.domain import Chunk, ScoredChunk
from backend.app.services.normalised_text import words
from backend.app.textbook.chunker import citation_blocks

MAX_PASSAGE_TOKENS = 2_200
SAME_TEXT = 0.9  # share of the shorter text's pairs of words that makes two passages one
_SIGNS = bytes(code for code in range(128) if not (chr(code).isalpha() or chr(code) == " "))
_FRAME_TOKENS = 40  # source, title and the block structure around one passage


@dataclass(frozen=True)
class Passage:
    """Neighbouring chunks of one section around a hit, as they are sent; `hit.chunk` is one of `chunks`. Joined,
    `blocks` are the passage's text."""

    hit: ScoredChunk
    chunks: tuple[Chunk, ...]

    @cached_property
    def source(self) -> str:
        """Unique in the book: the position counts its chunks, and no chunk is in two passages."""
        chunk = self.hit.chunk
        return f"book://{chunk.chapter_id}#{chunk.anchor}/chunk-{chunk.position}"

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


def pack(hits: Iterable[ScoredChunk], max_tokens: int = MAX_PASSAGE_TOKENS) -> tuple[Passage, ...]:
    """Take hits in the order given while they fit; one that is too large does not stop smaller ones after it.

    A text that (nearly) repeats one already taken is skipped: the same page indexed under two routes must not
    crowd out the rest.
    """
    taken: list[Passage] = []
    seen: list[frozenset[tuple[str, str]]] = []
    left = max_tokens
    for hit in hits:
        passage, marks = Passage(hit, (hit.chunk,)), _word_pairs(hit.chunk.text)
        cost = _FRAME_TOKENS + estimate_tokens(passage.title + passage.source + passage.text)
        if not marks or cost > left or any(_same(marks, other) for other in seen):
            continue
        taken.append(passage)
        seen.append(marks)
        left -= cost
    return tuple(taken)


def estimate_tokens(text: str) -> int:
    """An upper estimate; there is no public tokenizer. 2.5 characters a token for English (the provider's own
    figure), 2 for the signs and digits that code is full of, 1 for every other script."""
    basic = text.encode("ascii", "ignore")
    plain = len(basic.translate(None, _SIGNS))
    return math.ceil(plain / 2.5 + (len(basic) - plain) / 2 + (len(text) - len(basic)))


@lru_cache(maxsize=1_000)
def _blocks(text: str) -> tuple[str, ...]:
    """Remembered: it parses Markdown, ~0.5 ms a passage, and the same passages answer many questions."""
    return tuple(citation_blocks(text))


def _word_pairs(text: str) -> frozenset[tuple[str, str]]:
    """Neighbouring words; the first and last are each a pair with nothing. Empty for a text without words."""
    found = words(text).split()
    return frozenset(zip(["", *found], [*found, ""], strict=True)) if found else frozenset()


def _same(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    return len(one & other) >= SAME_TEXT * min(len(one), len(other))
