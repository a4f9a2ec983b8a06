"""Which of a reply's citations are true, and what of the reply may be shown: while it is written, or at once.

A citation is true when its source is a passage that was sent and its quote stands there word for word. A sentence
that leans on an untrue one is left out as a whole, and so is a code block or a table. What was never claimed as a
quote stays where it adds nothing of its own, but nothing is shown before the first true citation. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from backend.app.models.domain import Chunk, QuestionLanguage
from backend.app.services.claude_reply import Citation, ClaudeReply
from backend.app.services.claude_stream import BlockEnd, ReplyPart, TextPiece
from backend.app.services.inert_markdown import InertWriter
from backend.app.services.markdown_units import Unit, UnitSplitter
from backend.app.services.outcomes import (
    known_terms,
    may_say_not_in_the_book,
    may_stand_uncited,
    read_open_mark,
    recites_rules,
    says_not_in_the_book,
)
from backend.app.services.passages import Passage

_SHORTEST_LOOSE_QUOTE = 12  # characters; a shorter one stands in nearly every text


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
    citation, and is never empty; `dropped` counts untrue citations; `leaves_open`: it says that the book answers a
    part only."""

    text: str
    quotes: tuple[Quote, ...]
    dropped: int
    leaves_open: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """The next words of an answer, and the sources among `quotes` that were not cited before."""

    text: str
    quotes: tuple[Quote, ...]


@dataclass(slots=True)
class _Claim:
    """One text block: where it stands in the whole reply, and which of its citations are true."""

    start: int
    end: int = 0
    quotes: list[Quote] = field(default_factory=list[Quote])
    dropped: int = 0

    @property
    def is_untrue(self) -> bool:
        return self.dropped > 0 and not self.quotes


class AnswerCheck:
    """Hears the parts of one reply in order, and returns what may be shown as soon as it is certain.

    What it returns, joined, is the same however the reply was cut into parts: a unit of the text is judged when it is
    complete and all blocks that it stands in have ended, and by nothing else.
    """

    def __init__(self, passages: Sequence[Passage], question: str = "", language: QuestionLanguage = "en") -> None:
        """`question` and `language` are what the reply answers, and in what."""
        self._passages, self._question = passages, question
        self._language: QuestionLanguage = language
        self._by_source = {passage.source: passage for passage in passages}
        self._writer = InertWriter(passage.text for passage in passages)
        self._splitter = UnitSplitter()
        self._text = ""
        self._claims: list[_Claim] = []
        self._open: _Claim | None = None
        self._units: list[tuple[int, Unit]] = []  # where they begin; not judged yet
        self._split = 0  # what of the text is in units
        self._waiting: list[Verified] = []  # judged, but before the first true citation
        self._space = ""
        self._shown: list[str] = []
        self._cited: dict[tuple[str, str], Quote] = {}
        self._has_begun = self._leaves_open = False
        self.dropped = 0

    def hear(self, part: ReplyPart) -> list[Verified]:
        """What this part makes certain."""
        self._open = self._open or _Claim(len(self._text))
        if isinstance(part, TextPiece):
            self._text += part.text
            self._take(self._splitter.feed(part.text))
        elif isinstance(part, BlockEnd):
            self._open.end = len(self._text)
            self._claims.append(self._open)
            self._open = None
        else:
            self._note(self._open, part)
        return self._judge(self._open.start if self._open else len(self._text))

    def finish(self, *, cut_short: bool = False) -> list[Verified]:
        """What is certain now that no more comes. With `cut_short` (the reply ran into its token limit) a last unit
        that is not complete is left out."""
        self._take(self._splitter.finish())
        if cut_short and self._units and not self._units[-1][1].is_complete:
            self._units.pop()
        return self._judge(len(self._text), is_over=True)

    def checked(self) -> CheckedAnswer | None:
        """All that was shown, after `finish`; None when no true citation was among it."""
        if not self._shown:
            return None
        cited = tuple(self._cited.values())
        return CheckedAnswer("".join(self._shown), cited, self.dropped, self._leaves_open)

    def _note(self, claim: _Claim, citation: Citation) -> None:
        passage = self._by_source.get(citation.source)
        quote = find_quote(citation, passage) if passage else None
        if quote:
            claim.quotes.append(quote)
        else:
            claim.dropped += 1
            self.dropped += 1

    def _take(self, units: Iterator[Unit]) -> None:
        for unit in units:
            self._units.append((self._split, unit))
            self._split += len(unit.text)

    def _judge(self, certain: int, *, is_over: bool = False) -> list[Verified]:
        """Up to `certain` characters of the text, all blocks have ended."""
        while self._units and self._units[0][0] + len(self._units[0][1].text.rstrip()) <= certain:
            start, unit = self._units.pop(0)
            claims = self._claims_in(start, start + len(unit.text))
            self._wait(unit, self._shown_of(unit.text, claims), claims)
        return self._release(is_over=is_over)

    def _shown_of(self, text: str, claims: Sequence[_Claim]) -> str:
        """A unit without what may not be shown of it."""
        cited = any(claim.quotes for claim in claims)
        if any(claim.is_untrue for claim in claims) or recites_rules(text):
            return ""
        shown, opens = read_open_mark(text, cited=cited)
        if not (cited or opens or may_stand_uncited(text, self._known, self._language)):
            return ""
        self._leaves_open |= opens
        return shown

    @cached_property
    def _known(self) -> frozenset[str]:
        return known_terms([self._question, *(f"{passage.title} {passage.text}" for passage in self._passages)])

    def _wait(self, unit: Unit, text: str, claims: Sequence[_Claim]) -> None:
        """White space waits for what follows it. A line keeps its end when its last sentence is left out: the next
        one would go on in it."""
        if not text and unit.text.endswith("\n") and not self._space.endswith("\n"):
            self._space = "\n"
        text = self._space + text
        visible = text.rstrip()
        self._space = text[len(visible) :]
        if not self._has_begun:
            visible = visible.lstrip()
        if visible:
            self._has_begun = True
            quotes = tuple(quote for claim in claims for quote in claim.quotes)
            self._waiting.append(Verified(self._writer.add(visible, is_block=unit.is_block), quotes))

    def _claims_in(self, start: int, end: int) -> list[_Claim]:
        """The blocks that share more than white space with this part of the text."""
        while self._claims and self._claims[0].end <= start:
            self._claims.pop(0)
        return [
            claim
            for claim in self._claims
            if claim.start < end and self._text[max(claim.start, start) : min(claim.end, end)].strip()
        ]

    def _release(self, *, is_over: bool) -> list[Verified]:
        """Nothing before the first true citation, and nothing of a reply that may turn out to be a refusal."""
        if not self._shown and not any(part.quotes for part in self._waiting):
            return []
        if not self._shown and (says_not_in_the_book if is_over else may_say_not_in_the_book)(self._text):
            return []
        released = [Verified(part.text, self._not_cited_before(part.quotes)) for part in self._waiting]
        self._shown += [part.text for part in released]
        self._waiting.clear()
        return released

    def _not_cited_before(self, quotes: Sequence[Quote]) -> tuple[Quote, ...]:
        """One for each section."""
        found = {(quote.passage.source, quote.chunk.anchor): quote for quote in reversed(quotes)}
        new = {key: quote for key, quote in reversed(found.items()) if key not in self._cited}
        self._cited |= new
        return tuple(new.values())


def parts_of(reply: ClaudeReply) -> Iterator[ReplyPart]:
    """A reply that is there already, as if it were heard."""
    for block in reply.blocks:
        yield TextPiece(block.text)
        yield from block.citations
        yield BlockEnd()


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
