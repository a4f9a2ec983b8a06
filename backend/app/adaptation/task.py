"""What the pipeline needs to know of a kind of adaptation; `translation` and `personalization` are the two."""

from collections.abc import Sequence
from typing import Any, Protocol

from backend.app.models.adaptation import Change, Piece, Target
from backend.app.textbook.masking import MaskedText


class Finisher(Protocol):
    """Puts the pieces of one chapter together, in their order, each as soon as it is there."""

    @property
    def title(self) -> str:
        """The adapted title, once it was added."""
        ...

    @property
    def changes(self) -> Sequence[Change]:
        """What the pieces so far say beside their source."""
        ...

    def add(self, piece: Piece, adapted: str) -> str:
        """The next piece, unmasked -> how it stands in the chapter (glosses at first use); "" for a title."""
        ...

    def keep(self, piece: Piece, corrected: str) -> str:
        """The same for a piece that people wrote: no word of it is changed."""
        ...


class Task(Protocol):
    """One target and everything static that reaches the model or decides what is accepted."""

    @property
    def target(self) -> Target: ...

    @property
    def prompt(self) -> str:
        """Name of the instructions under prompts/, which is also the feature that the ledger counts."""
        ...

    @property
    def version(self) -> str:
        """Changes with anything that could make the result another one: instructions, glossary, checks, finishing."""
        ...

    def prepare(self, content: str) -> str:
        """The chapter's Markdown as it is cut into pieces: for a translation with its headings' anchors pinned."""
        ...

    def adapts(self, piece: Piece, masked: MaskedText) -> bool:
        """Whether there is anything to ask a model for; else the piece stays as it is."""
        ...

    def request(self, model: str, piece: Piece, masked: MaskedText) -> dict[str, Any]:
        """The body of the Messages request for one piece. Equal inputs give equal bytes, and nothing that is not in
        it may change what comes back: its hash is the key under which the reply is kept."""
        ...

    def problems(self, piece: Piece, masked: MaskedText, reply: str) -> list[str]:
        """What is wrong with a reply, as sentences that the model is told before its second try; [] = accept it."""
        ...

    def finisher(self, title: str) -> Finisher: ...
