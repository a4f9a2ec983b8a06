"""What a reader may be told while an answer is being written, in the order in which it becomes certain.

The texts of one answer, joined, are the answer's text; each source comes before the words that rest on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from backend.app.models.domain import Answer, Source
from backend.app.services.citations import AnswerCheck, Quote, Verified
from backend.app.services.claude_stream import ReplyPart


@dataclass(frozen=True, slots=True)
class BookSearched:
    """The first event: the stores have answered. `passages` are to be read; without any the answer is a refusal."""

    passages: int


@dataclass(frozen=True, slots=True)
class SourceCited:
    """A passage that the next words rest on; each comes once."""

    source: Source


@dataclass(frozen=True, slots=True)
class TextVerified:
    """The next words of the answer."""

    text: str


AnswerEvent = BookSearched | SourceCited | TextVerified | Answer
Tell = Callable[[AnswerEvent], None]
Check = Callable[[], AnswerCheck]


class CheckedListener:
    """Hears a reply, and tells what of it is true as soon as that is certain. `check` is the one of the last try,
    which took `checked_s` so far."""

    def __init__(self, new_check: Check, as_source: Callable[[Quote], Source], tell: Tell) -> None:
        self._new_check, self._as_source, self._tell = new_check, as_source, tell
        self.check = new_check()
        self.checked_s = 0.0
        self.has_told = False

    def begin(self) -> None:
        """The reply begins, or begins again."""
        self.check = self._new_check()
        self.checked_s = 0.0

    def hear(self, part: ReplyPart) -> None:
        """Tell what this part makes certain."""
        started = perf_counter()
        verified = self.check.hear(part)
        self.checked_s += perf_counter() - started
        self.pass_on(verified)

    def pass_on(self, verified: list[Verified]) -> None:
        """Each source before its words."""
        for words in verified:
            self.has_told = True
            for quote in words.quotes:
                self._tell(SourceCited(self._as_source(quote)))
            self._tell(TextVerified(words.text))
