"""Text too long for one unit -> smaller units at the best places: sentences, lines, words, then characters.

Knows sentence ends (Latin and Urdu), fences and tables. Must not know chapters. Nothing is ever dropped: the parts of
`split_sentences` and `citation_blocks` joined are exactly the text that came in.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from backend.app.textbook.parser import TextBlock, parse_blocks, split_lines

CountTokens = Callable[[Sequence[str]], list[int]]

_SENTENCE_END = re.compile(
    r"(?<![.!?…])[.!?…]{1,8}[\"')\]”’»*_]{0,8}\s+|[۔؟。！？]+[\"')\]”’»*_]{0,8}\s*"
    r"|\n[ \t>]*(?=(?:[-*+]|\d{1,9}[.)])[ \t])"
)
_END_SIGNS = ".!?…۔؟。！？"
_CLOSERS = "\"')]”’»*_"
_MOST_CLOSERS = 8
_PROTECTED = re.compile(
    r"`[^`\n]{1,300}`|\$(?![\s$])[^$\n]{1,300}\$(?!\d)|!?\[[^\[\]\n]{0,300}\]\([^()\n]{0,600}\)|https?://\S{1,500}"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘*_])(?:e\.g|i\.e|etc|vs|cf|al|approx|ca|fig|figs|eq|eqs|sec|no|vol|pp?|ch|dr|prof|mr|mrs|ms|st|jr|sr|inc|ltd"
    r"|[A-Za-z]|\d{1,9})\.\s+$",
    re.IGNORECASE,
)
_FENCE_LINE = re.compile(r"[ \t>]*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)*(`{3,}|~{3,})")
_CHARACTERS_PER_TOKEN = 16  # more than any prose or code has; bounds units of which a word is one [UNK] to the model


def split_sentences(text: str) -> list[str]:
    """Sentences with the space that follows them; list items begin a new one. Code spans, formulas and links
    stay whole."""
    spans = [match.span() for match in _PROTECTED.finditer(text)]
    parts: list[str] = []
    start, span = 0, 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        while span < len(spans) and spans[span][1] <= match.start():
            span += 1
        inside = span < len(spans) and spans[span][0] <= match.start() < spans[span][1] - 1
        if inside or end >= len(text) or not text[start:end].strip() or _goes_on(text, match):
            continue
        parts.append(text[start:end])
        start = end
    return [*parts, text[start:]] if text[start:] else parts


def possible_ends(text: str, start: int = 0) -> Iterator[tuple[int, bool]]:
    """Where sentences of a line may end, from `start` on, and whether they do: code spans and the like are not
    considered. What is said of an end before the end of `text` holds whatever follows."""
    return ((match.end(), not _goes_on(text, match)) for match in _SENTENCE_END.finditer(text, start))


def without_possible_end(text: str) -> str:
    """`text` up to where an end that is not decided yet may begin."""
    bare = text.rstrip()
    closed = bare.rstrip(_CLOSERS)
    before = closed.rstrip(_END_SIGNS)
    return before if before != closed and len(bare) - len(closed) <= _MOST_CLOSERS else text


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether a full stop is no sentence end: an abbreviation, a list number, or a small letter follows."""
    if "." not in end.group():
        return False
    following = text[end.end() : end.end() + 1]
    before = text[max(0, end.start() - 14) : end.end()]
    return following.islower() or _ABBREVIATION.search(before) is not None


def citation_blocks(text: str) -> list[str]:
    """Sentences of prose, whole fences, formulas and tables; headings alone. Joined they are exactly `text`; none is
    only white space (unless `text` is)."""
    lines = split_lines(text)
    parts: list[str] = []
    position = 0
    for block in parse_blocks(text):
        if block.start < position:
            continue
        parts.append("".join(lines[position : block.start]))
        body = "".join(lines[block.start : block.end])
        parts.extend(split_sentences(body) if block.kind == "text" else [body])
        position = block.end
    parts.append("".join(lines[position:]))
    return _without_blanks(parts)


def _without_blanks(parts: list[str]) -> list[str]:
    """Parts without visible text join the part before them (the first ones the part after)."""
    joined: list[str] = []
    leading = ""
    for part in parts:
        if not part.strip():
            if joined:
                joined[-1] += part
            else:
                leading += part
        else:
            joined.append(leading + part)
            leading = ""
    return [*joined, leading] if leading else joined


class TokenCosts:
    """Word pieces of texts, remembered, so that many texts are counted by few calls.

    Costs leave out the special tokens. Counting is additive at white space for word-piece models; the chunker
    verifies the whole in the end.
    """

    def __init__(self, count_tokens: CountTokens) -> None:
        self._count = count_tokens
        self._known: dict[str, int] = {}
        self.specials = count_tokens([""])[0]

    def prime(self, texts: Sequence[str]) -> None:
        """Count all of these with one call."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, self._count(missing), strict=True))

    def cost(self, text: str) -> int:
        """Word pieces of the text; at least one per 16 characters."""
        self.prime((text,))
        return max(self._known[text] - self.specials, -(-len(text.strip()) // _CHARACTERS_PER_TOKEN))


def split_block(block: TextBlock, budget: int, costs: TokenCosts) -> list[str]:
    """Pieces of a block that cost at most `budget` each: tables at rows with their head repeated, code at lines with
    its fences repeated, formulas at lines, prose at sentences."""
    if block.kind == "table":
        return _split_table(block.text, budget, costs)
    if block.kind == "code":
        return _split_code(block.text, budget, costs)
    units = block.text.splitlines(keepends=True) if block.kind == "math" else split_sentences(block.text)
    return _packed(units, budget, costs)


def _split_table(text: str, budget: int, costs: TokenCosts) -> list[str]:
    lines = text.split("\n")
    head = "\n".join(lines[:2]) + "\n"
    room = budget - costs.cost(head)
    if room < budget // 3:
        return _packed([line + "\n" for line in lines], budget, costs)
    return [head + rows for rows in _packed([line + "\n" for line in lines[2:]], room, costs)]


def _split_code(text: str, budget: int, costs: TokenCosts) -> list[str]:
    lines = text.split("\n")
    fence = _FENCE_LINE.match(lines[0])
    if fence is None:
        return _packed([line + "\n" for line in lines], budget, costs)
    opening = re.sub(r"[-*+]|\d{1,9}[.)]", " ", lines[0][: fence.start(1)]) + lines[0][fence.start(1) :] + "\n"
    closing = opening[: fence.start(1)] + fence.group(1)
    closed = len(lines) > 1 and lines[-1].strip(" \t>") == fence.group(1)
    body = lines[1:-1] if closed else lines[1:]
    room = budget - costs.cost(opening) - costs.cost(closing)
    if room < budget // 3:  # a fence line of many word pieces: it is text like any other
        return _packed([line + "\n" for line in lines], budget, costs)
    return [f"{opening}{part}\n{closing}" for part in _packed([line + "\n" for line in body], room, costs)]


def _packed(units: Sequence[str], budget: int, costs: TokenCosts) -> list[str]:
    """Neighbouring units joined as long as they fit; a unit that does not fit alone is split at words."""
    costs.prime(units)
    parts: list[str] = []
    current, used = "", 0
    for unit in _fitting(units, budget, costs):
        cost = costs.cost(unit)
        if current and used + cost > budget:
            parts.append(current)
            current, used = "", 0
        current += unit
        used += cost
    parts.append(current)
    return [stripped for part in parts if (stripped := part.rstrip().lstrip("\r\n"))]


def _fitting(units: Sequence[str], budget: int, costs: TokenCosts) -> Iterator[str]:
    for unit in units:
        if costs.cost(unit) <= budget:
            yield unit
        else:
            words = re.findall(r"\s*\S{1,1000}\s*", unit)
            costs.prime(words)
            for word in words:
                yield from [word] if costs.cost(word) <= budget else _halves(word, budget, costs)


def _halves(word: str, budget: int, costs: TokenCosts) -> list[str]:
    """A word without spaces that is over the budget, cut in the middle until its parts fit."""
    waiting, done = [word], list[str]()
    while waiting:
        part = waiting.pop()
        if len(part) == 1 or costs.cost(part) <= budget:
            done.append(part)
        else:
            waiting.extend((part[len(part) // 2 :], part[: len(part) // 2]))
    return done
