"""Where a paragraph or a list that is too long for one piece may be cut.

Knows sentences, list items, and what in a masked text opens and closes. Must not know pieces or models.
"""

import re
from collections.abc import Iterator, Sequence

from backend.app.textbook.masking import MARK, count_words, weight_of
from backend.app.textbook.splitting import split_sentences
from backend.app.textbook.structure import TopBlock

CUTTABLE = frozenset({"paragraph", "bullet_list", "ordered_list"})
_PAIRS = re.compile(r"[\[\]]|⟦[TY]|(?<!\w)[*_~]+|[*_~]+(?!\w)")
_STEPS = {"[": 1, "]": -1, "⟦T": 1, "⟦Y": -1}
_GAP = re.compile(r"\s+")
_MAY_BE_BLOCK = re.compile(r"\s*(?:[-+*#>|=:~]|\d+[.)]|import\b|export\b|⟦(?![CFLNIEXTYS]))")


def weight(masked: str) -> float:
    """Of a masked text, see `weight_of`."""
    return weight_of(count_words(masked), len(MARK.findall(masked)), len(masked))


def cuts_of_list(block: TopBlock, inside: Sequence[bool]) -> list[int]:
    """The lines of a list at which another item begins, none in an element."""
    return [line for line in block.items[1:] if not inside[line]]


def cuts_of_paragraph(text: str, most: float) -> list[int]:
    """Offsets into a masked paragraph so that no part weighs more than `most`, if words allow it: behind sentences
    that leave no link, tag or emphasis open; where those are too far apart behind any sentence; and in a sentence
    that is too long behind any word. The white space there belongs to what follows."""
    ends = list(_sentence_ends(text))
    whole = [end for end, closed in ends if closed]
    loose = _between(text, whole, [end for end, _ in ends], most)
    return _between(text, loose, [gap.start() for gap in _GAP.finditer(text)], most)


def _sentence_ends(text: str) -> Iterator[tuple[int, bool]]:
    """(end, does nothing stay open there?) of each sentence but the last."""
    position = depth = 0
    open_signs: set[str] = set()
    for sentence in split_sentences(text):
        for sign in _PAIRS.findall(sentence):
            depth = max(0, depth + _STEPS.get(sign, 0))
            if sign not in _STEPS:
                open_signs ^= {sign}
        end = position + len(sentence.rstrip())
        position += len(sentence)
        if end > 0 and position < len(text) and not _MAY_BE_BLOCK.match(text, end):
            yield end, not depth and not open_signs


def _between(text: str, cuts: Sequence[int], more: Sequence[int], most: float) -> list[int]:
    """The cuts, and all of `more` that lie in parts which weigh too much."""
    kept: list[int] = []
    number = 0
    for start, end in zip((0, *cuts), (*cuts, len(text)), strict=True):
        is_long = weight(text[start:end]) > most
        while number < len(more) and more[number] < end:
            if is_long and more[number] > start:
                kept.append(more[number])
            number += 1
        if end < len(text):
            kept.append(end)
    return kept
