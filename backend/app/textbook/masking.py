"""What must not change in a chapter -> marks that a model carries along, and back.

Knows MDX as Docusaurus reads it. Must not know models, languages or levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MaskKind = Literal["code", "formula", "link", "image", "tag", "module", "admonition", "heading_id", "literal"]


@dataclass(frozen=True, slots=True)
class Mask:
    """`mark` ("⟦C12⟧": the letter of its kind, a number unique in the piece) stands for `source`, verbatim. A block
    mask has its line for itself: whatever white space a reply puts around it, the line comes back as it was."""

    mark: str
    source: str
    kind: MaskKind
    is_block: bool


@dataclass(frozen=True, slots=True)
class MaskedText:
    """`text` is what a model reads. `words` counts what is left to adapt: 0 = nothing, the piece stays as it is."""

    text: str
    masks: tuple[Mask, ...]
    words: int


class BrokenMarks(ValueError):
    """A reply lacks a mark, has one twice or one that was never given. `problems`: one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problems))
