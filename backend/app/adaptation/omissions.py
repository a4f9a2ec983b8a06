"""What a text left out or said in place of something else, as far as a count can tell. Pure."""

import re
from collections.abc import Iterator, Sequence

from backend.app.adaptation.checks import Pair, size_of
from backend.app.textbook.masking import MARK
from backend.app.textbook.structure import excerpt

FEWEST_SENTENCES = 4
MOST_JOINED = 0.6
"""Of the sentences. Who joins more of them than that ..."""
LEAST_SIZE = 0.62
"""... keeps more of the characters: Arabic, the shortest language here, has three quarters of those of English."""
FEWEST_TOLD_APART = 6
_ENDS = re.compile(r"[.?!۔؟।…]+[\"'”’»)*_\]]*(?=\s|$)")
_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W\d_]+")
_CUT = re.compile(r"(?:…|\.{3})[\"'”’»)*_\s]*\Z")


def omissions(pairs: Sequence[Pair]) -> Iterator[str]:
    """Blocks without words, without half of their sentences, cut by an ellipsis, or with the words of another."""
    yield from map(_without_words, filter(_has_lost_its_words, pairs))
    yield from thinned(pairs)
    yield from _repeated(pairs)


def thinned(pairs: Sequence[Pair]) -> Iterator[str]:
    """Blocks that lack sentences, or end in an ellipsis of their own."""
    for pair in pairs:
        if _is_thin(pair):
            yield f"What stands for {excerpt(pair.source)!r} leaves sentences out: say each of them."
        elif _CUT.search(pair.reply) and not _CUT.search(pair.source):
            yield f"What stands for {excerpt(pair.source)!r} breaks off."


def _has_lost_its_words(pair: Pair) -> bool:
    return bool(_LETTER.search(MARK.sub("", pair.source))) and not _LETTER.search(MARK.sub("", pair.reply))


def _without_words(pair: Pair) -> str:
    return f"What stands for {excerpt(pair.source)!r} has no words."


def _is_thin(pair: Pair) -> bool:
    sentences = _sentences(pair.source)
    joined = sentences >= FEWEST_SENTENCES and _sentences(pair.reply) <= MOST_JOINED * sentences
    return joined and size_of(pair.reply) < LEAST_SIZE * size_of(pair.source)


def _sentences(text: str) -> int:
    return len(_ENDS.findall(text))


def _repeated(pairs: Sequence[Pair]) -> Iterator[str]:
    """Different texts of the source have become the same one."""
    seen: dict[tuple[str, ...], str] = {}
    for source, reply, _ in pairs:
        words = tuple(_WORD.findall(MARK.sub(" ", reply)))
        if len(words) < FEWEST_TOLD_APART:
            continue
        plain = " ".join(_WORD.findall(MARK.sub(" ", source))).lower()
        if seen.setdefault(words, plain) != plain:
            yield f"What stands for {excerpt(source)!r} stands for another paragraph, too."
