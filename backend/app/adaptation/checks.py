"""What is wrong with a reply: sentences that the model is told before its second try.

`common_problems` holds for translations and personalized text alike; the others compare a reply with its source block
by block and are for replies that keep every block. Works on masked texts. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.app.adaptation.telltales import telltales
from backend.app.models.adaptation import Piece
from backend.app.textbook.masking import MARK, BrokenMarks, MaskedText, unmask
from backend.app.textbook.structure import StructureBlock, excerpt, structure_of


class Pair(NamedTuple):
    """A block of the source and what stands for it. `name` as in `structure`: "heading", "paragraph", "td"; a
    paragraph of a list item is a "point"."""

    source: str
    reply: str
    name: str


TOO_SHORT_BY, TOO_LONG_BY = 12, 25
"""Characters by which a short text may miss its length."""
DOUBLED_FROM = 1.4
"""Times the words of its source from which a block with a repetition says something twice."""
WHOLE_FROM = 0.6
"""Times the characters of its source from which a point without a full stop is whole."""
_POINTS = ("point", "td", "th")
_WORD = re.compile(r"[^\W\d_]+")
_ENDED_SOURCE = re.compile(r"[.?!][\"'”’)*_\]]*\s*\Z")
_ABBREVIATED = re.compile(r"\b(?:etc|e\.g|i\.e|al|vs|approx|ed|Inc|Ltd|Dr)\.[\"'”’)*_\]]*\s*\Z")
_ENDED = re.compile(r"[.?!:;…۔؟॥।。][\"'”’«»)*_\]\s]*\Z")
_SENTENCE_END = re.compile(r"(?<=[.?!۔؟।])\s+")


@dataclass(frozen=True, slots=True)
class Lengths:
    """Characters of a reply, as multiples of the source's."""

    least: float
    most: float


OF_ALL = Lengths(0.45, 1.9)
OF_BLOCK = Lengths(0.33, 2.4)


def common_problems(piece: Piece, masked: MaskedText, reply: str) -> list[str]:
    """Checks of any reply: something is there, every mark once, nothing that is not the text itself. A title stays
    one line."""
    if not MARK.sub("", reply).strip(" \t\r\n#*_->|"):
        return ["The reply is empty."]
    problems = [*_mark_problems(masked, reply), *telltales(masked.text, reply)]
    if piece.role == "title" and len(reply.strip().splitlines()) > 1:
        problems.append("The title has to stay one line.")
    return problems


def paired_blocks(source: str, reply: str) -> list[Pair]:
    """The texts of two masked texts of one structure; ValueError when their structures differ."""
    ours, theirs = (structure_of(text).blocks for text in (source, reply))
    return [
        Pair(mine.text, other.text, _name(mine))
        for mine, other in zip(ours, theirs, strict=True)
        if mine.text or other.text
    ]


def length_problems(pairs: Sequence[Pair]) -> Iterator[str]:
    """What is much too short or too long, as a whole or in one block."""
    sizes = [(size_of(pair.source), size_of(pair.reply)) for pair in pairs]
    if wrong := _wrong_length(sum(size for size, _ in sizes), sum(size for _, size in sizes), OF_ALL):
        yield f"The text is too {wrong} for its source."
    for pair, (wanted, found) in zip(pairs, sizes, strict=True):
        if wanted and not found:
            yield f"What stands for {excerpt(pair.source)!r} is empty."
        elif wrong := _wrong_length(wanted, found, OF_BLOCK):
            yield f"What stands for {excerpt(pair.source)!r} is too {wrong}."
        elif found and not wanted:
            yield f"{excerpt(pair.reply)!r} stands where the source has no words."


def broken_off(pairs: Sequence[Pair]) -> Iterator[str]:
    """Blocks that end in the middle of a sentence though their source does not. A point or a cell of one sentence may
    do without its full stop."""
    for pair in pairs:
        source, reply, _ = pair
        is_sentence = _ENDED_SOURCE.search(source) and not _ABBREVIATED.search(source)
        if is_sentence and len(_WORD.findall(source)) >= 6 and not (_ENDED.search(reply) or _is_whole_point(pair)):
            yield f"What stands for {excerpt(source)!r} breaks off: its last sentence has no end."


def said_twice(pairs: Sequence[Pair]) -> Iterator[str]:
    """Blocks that say the same words twice, which makes them longer than their source."""
    for source, reply, _ in pairs:
        words = _WORD.findall(MARK.sub(" ", reply).lower())
        if len(words) > DOUBLED_FROM * len(_WORD.findall(MARK.sub(" ", source))) and _repeats(reply, words):
            yield f"What stands for {excerpt(source)!r} says something twice."


def _mark_problems(masked: MaskedText, reply: str) -> tuple[str, ...]:
    try:
        unmask(reply, masked)
    except BrokenMarks as broken:
        return broken.problems
    return ()


def _name(block: StructureBlock) -> str:
    in_list = bool(block.around) and block.around[-1].endswith("list")
    return "point" if block.name == "paragraph" and in_list else block.name


def _is_whole_point(pair: Pair) -> bool:
    is_one = pair.name in _POINTS and len(_SENTENCE_END.split(pair.source)) == 1
    return is_one and size_of(pair.reply) >= WHOLE_FROM * size_of(pair.source)


def size_of(text: str) -> int:
    """Characters of a masked text without its marks and white space."""
    return len("".join(MARK.sub("", text).split()))


def _wrong_length(wanted: int, found: int, lengths: Lengths) -> str:
    if found < lengths.least * wanted - TOO_SHORT_BY:
        return "short"
    return "long" if found > lengths.most * wanted + TOO_LONG_BY else ""


def _repeats(text: str, words: list[str]) -> bool:
    half = len(words) // 2
    if len(set(words[:half])) >= 4 and words[:half] == words[-half:]:
        return True
    sentences = [tuple(_WORD.findall(part.lower())) for part in _SENTENCE_END.split(MARK.sub(" ", text))]
    long = [sentence for sentence in sentences if len(set(sentence)) >= 4]
    return len(long) > len(set(long))
