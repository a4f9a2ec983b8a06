"""Which of a reply's citations are true, and what of the reply may be shown.

A citation is true when its source is a passage that was sent and its quote stands there word for word. A sentence
that leans on an untrue one is removed as a whole; what was never claimed as a quote stays. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from backend.app.models.domain import Chunk
from backend.app.services.claude_reply import Citation, ClaudeReply, TextBlock
from backend.app.services.passages import Passage
from backend.app.textbook.parser import split_lines
from backend.app.textbook.splitting import split_sentences

_SHORTEST_LOOSE_QUOTE = 12  # characters; a shorter one stands in nearly every text
_COMPLETE = re.compile(r"""[.!?…؟۔]["'”’»)\]*_]*$""")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Quote:
    """`text` is a verbatim piece of the passage, without white space around it; `chunk` the one of the passage's
    chunks in which it begins."""

    passage: Passage
    chunk: Chunk
    text: str


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """What may be shown. `quotes` holds one quote for each cited section of a passage, in the order of first
    citation, and is never empty; `dropped` counts untrue citations."""

    text: str
    quotes: tuple[Quote, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class _Claim:
    """One text block: where it stands in the whole answer and which of its citations are true."""

    span: Span
    quotes: tuple[Quote, ...]
    dropped: int

    @property
    def is_untrue(self) -> bool:
        return self.dropped > 0 and not self.quotes


def check_answer(reply: ClaudeReply, passages: Sequence[Passage], *, cut_short: bool = False) -> CheckedAnswer | None:
    """Keep what is true; None when no true citation is left.

    With `cut_short` (the reply ran into its token limit) the text ends with the last sentence that is both
    complete and cited.
    """
    by_source = {passage.source: passage for passage in passages}
    claims = _claims(reply.blocks, by_source)
    text = reply.text
    kept = _without(text, [claim.span for claim in claims if claim.is_untrue])
    if cut_short:
        end = _last_complete(text, [claim.span for claim in claims if claim.quotes])
        kept = [(start, min(stop, end)) for start, stop in kept if start < end]
    shown = "".join(text[start:stop] for start, stop in kept).strip()
    quotes = _first_of_each(claim.quotes for claim in claims if _is_shown(text, claim.span, kept))
    if not quotes or not shown or shown.count("```") % 2:
        return None
    return CheckedAnswer(shown, quotes, sum(claim.dropped for claim in claims))


def find_quote(citation: Citation, passage: Passage) -> Quote | None:
    """The passage's own words behind a citation, or None.

    Exact: the cited blocks joined are the quote. Otherwise the quote must stand in the passage as whole words with
    nothing but the white space different; what is returned is always the passage's text.
    """
    cited = citation.cited_text
    within = 0 <= citation.start < citation.end <= len(passage.blocks)
    if within and cited == "".join(passage.blocks[citation.start : citation.end]):
        return Quote(passage, passage.chunk_at(citation.start), cited.strip()) if cited.strip() else None
    pieces = cited.split()
    if len("".join(pieces)) < _SHORTEST_LOOSE_QUOTE or len(cited) > 2 * len(passage.text):
        return None
    pattern = r"\s+".join(map(re.escape, pieces))
    found = re.search(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", passage.text)  # some scripts write no spaces
    if found is None:
        return None
    return Quote(passage, passage.chunk_at(passage.block_at(found.start())), found.group())


def _claims(blocks: Iterable[TextBlock], by_source: dict[str, Passage]) -> list[_Claim]:
    claims: list[_Claim] = []
    start = 0
    for block in blocks:
        stop = start + len(block.text)
        quotes = tuple(quote for citation in block.citations if (quote := _true_quote(citation, by_source)))
        claims.append(_Claim((start, stop), quotes, len(block.citations) - len(quotes)))
        start = stop
    return claims


def _true_quote(citation: Citation, by_source: dict[str, Passage]) -> Quote | None:
    passage = by_source.get(citation.source)
    return find_quote(citation, passage) if passage else None


def _sentences(text: str) -> list[Span]:
    """Sentences, a line end always ending one: list items, code lines."""
    parts = [sentence for line in split_lines(text) for sentence in split_sentences(line)]
    ends = list(accumulate(map(len, parts)))
    return list(zip([0, *ends], ends, strict=False))


def _without(text: str, untrue: Sequence[Span]) -> list[Span]:
    if not untrue:
        return [(0, len(text))]
    return [span for span in _sentences(text) if not any(_overlap(text, span, bad) for bad in untrue)]


def _is_shown(text: str, span: Span, kept: Iterable[Span]) -> bool:
    return any(_overlap(text, span, part) for part in kept)


def _overlap(text: str, one: Span, other: Span) -> bool:
    """Whether the two share more than white space."""
    return bool(text[max(one[0], other[0]) : min(one[1], other[1])].strip())


def _last_complete(text: str, cited: Sequence[Span]) -> int:
    """Where the last complete sentence that holds a citation ends; 0 when there is none."""
    for start, end in reversed(_sentences(text)):
        is_complete = text[end - 1] == "\n" or _COMPLETE.search(text[start:end].rstrip())
        if is_complete and any(_overlap(text, (start, end), span) for span in cited):
            return end
    return 0


def _first_of_each(groups: Iterable[tuple[Quote, ...]]) -> tuple[Quote, ...]:
    found: dict[tuple[str, str], Quote] = {}
    for quotes in groups:
        for quote in quotes:
            found.setdefault((quote.passage.source, quote.chunk.anchor), quote)
    return tuple(found.values())
