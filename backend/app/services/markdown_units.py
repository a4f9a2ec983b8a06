"""Markdown that is still being written -> the units that can be shown by themselves: sentences, whole code blocks,
tables and formulas. Pure.

Where the text is cut depends on the text alone, never on the pieces in which it came: each decision is made from what
stands before a place and the one character after it. Cutting too little is harmless.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.app.textbook.splitting import possible_ends, without_possible_end

_MARKERS = r"[ \t>]{0,60}(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,30}){0,9}"
_FENCE = re.compile(_MARKERS + r"(`{3,}(?=[^`]*\Z)|~{3,})")
_FORMULA = re.compile(_MARKERS + r"\$\$")
_ROW = re.compile(_MARKERS + r"\|")
_MAY_BE_BLOCK = re.compile(_MARKERS + r"(?:[-*+\d.)]*|`{1,2}|~{1,2}|\$)\Z")
_MAY_BE_ROW = re.compile(_MARKERS + r"(?:\||[-*+\d.)]*\Z)")
_COMPLETE = re.compile(r"""[.!?…؟۔。！？|]["'”’»)\]*_`]*\Z""")
_BACKTICKS = re.compile(r"\\.|`+", re.DOTALL)
_UNFINISHED_ADDRESS = re.compile(r"(?:\w+://|www\.)\S*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """Units joined are the text. A sentence is at most one line; a block is whole lines. `is_complete` is false only
    for a last unit that stops in the middle."""

    text: str
    is_block: bool = False
    is_complete: bool = True


class UnitSplitter:
    """Feed it text as it comes; the units it returns are final."""

    def __init__(self) -> None:
        self._rest = ""  # what was not returned yet of the current line
        self._is_line_start = True
        self._tried = 0  # no sentence ends in `_rest` up to here
        self._block: _OpenBlock | None = None

    def feed(self, text: str) -> Iterator[Unit]:
        """The units that are certain now."""
        *ended, last = text.split("\n")
        for part in ended:
            self._rest += part + "\n"
            yield from self._line()
        self._rest += last
        yield from self._part_of_line()

    def finish(self) -> Iterator[Unit]:
        """What is left when no more text comes."""
        if self._rest:
            yield from self._line()
        yield from self._close_block()

    def _line(self) -> Iterator[Unit]:
        """`_rest` is a whole line, or the end of one."""
        line = self._rest
        if self._is_line_start:
            if self._block and not self._block.takes(line):
                yield from self._close_block()
            self._block = self._block or _OpenBlock.at(line)
        if self._block:
            self._block.lines.append(line)
            if self._block.is_closed:
                yield from self._close_block()
        else:
            yield from self._sentences()
            yield Unit(self._rest, is_complete=self._rest.endswith("\n") or is_whole_sentence(self._rest))
        self._rest, self._tried, self._is_line_start = "", 0, True

    def _part_of_line(self) -> Iterator[Unit]:
        """`_rest` is the beginning of a line, or what follows the sentences of it that were returned."""
        if self._is_line_start:
            if self._block and not self._block.may_take(self._rest):
                yield from self._close_block()
            if self._block or _OpenBlock.at(self._rest) or _MAY_BE_BLOCK.match(self._rest):
                return
        yield from self._sentences()

    def _sentences(self) -> Iterator[Unit]:
        while end := self._next_end():
            yield Unit(self._rest[:end])
            self._rest, self._tried, self._is_line_start = self._rest[end:], 0, False

    def _next_end(self) -> int:
        """0 when there is none yet: the character after it decides. No place is looked at twice."""
        for end, is_end in possible_ends(self._rest, self._tried):
            if end >= len(self._rest):
                return 0
            self._tried = end
            if is_end and is_closed(self._rest[:end]):
                return end
        self._tried = max(self._tried, len(without_possible_end(self._rest)))
        return 0

    def _close_block(self) -> Iterator[Unit]:
        block, self._block = self._block, None
        if block:
            yield Unit("".join(block.lines), is_block=True, is_complete=block.is_complete)


@dataclass(slots=True)
class _OpenBlock:
    """A code block, a formula or a table. `end` matches its last line; None: it ends before the first line that is
    no row of a table."""

    end: re.Pattern[str] | None
    lines: list[str] = field(default_factory=list[str])

    @classmethod
    def at(cls, line: str) -> "_OpenBlock | None":
        """The block that begins with this line."""
        if fence := _FENCE.match(line):
            marks = fence.group(1)
            return cls(re.compile(rf"[ \t>]*{marks[0]}{{{len(marks)},}}\s*\Z"))
        if _FORMULA.match(line):
            return cls(re.compile(r".*\$\$"))
        return cls(None) if _ROW.match(line) else None

    def takes(self, line: str) -> bool:
        return self.end is not None or _ROW.match(line) is not None

    def may_take(self, beginning: str) -> bool:
        """Whether a line that begins so may still belong to the block."""
        return self.end is not None or _MAY_BE_ROW.match(beginning) is not None

    @property
    def is_closed(self) -> bool:
        if self.end is None:
            return False
        if len(self.lines) == 1:
            return self.lines[0].count("$$") > 1 and _FORMULA.match(self.lines[0]) is not None
        return self.end.match(self.lines[-1]) is not None

    @property
    def is_complete(self) -> bool:
        return self.is_closed if self.end else self.lines[-1].endswith("\n") or is_whole_sentence(self.lines[-1])


def is_whole_sentence(text: str) -> bool:
    """Whether the text stops where a sentence or a row may end."""
    return _COMPLETE.search(text.rstrip()) is not None


def is_closed(text: str) -> bool:
    """Whether a line may be cut after `text`: not inside of code, a formula or an address."""
    if not text.strip() or _UNFINISHED_ADDRESS.search(text):
        return False
    outside = without_code(text)
    return outside is not None and outside.count("$") % 2 == 0


def code_spans(text: str) -> Iterator[tuple[int, int]]:
    """The code spans of one line, in order."""
    for start, end in _backtick_runs(text):
        if end > 0:
            yield start, end


def without_code(text: str) -> str | None:
    """The line without its code spans; None when a backtick in it opens one that does not end there."""
    outside, position = "", 0
    for start, end in _backtick_runs(text):
        if end < 0:
            return None
        outside += text[position:start]
        position = end
    return outside + text[position:]


def _backtick_runs(text: str) -> Iterator[tuple[int, int]]:
    """Each run of backticks that is not inside of code: where it opens and where its code ends, -1 if it does not."""
    position = 0
    while opening := _BACKTICKS.search(text, position):
        position = opening.end()
        if opening.group().startswith("`"):
            closing = re.compile(rf"(?<!`){opening.group()}(?!`)").search(text, position)
            position = closing.end() if closing else position
            yield opening.start(), closing.end() if closing else -1
