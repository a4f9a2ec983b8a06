"""The shapes of adapting a chapter: translating it, or rewriting it for a level. Plain frozen dataclasses."""

from dataclasses import dataclass
from typing import Literal, cast

from backend.app.models.domain import Chapter, Hardware, Level

TargetLanguage = Literal["ur", "hi", "ar", "es", "fr"]
"""ISO 639-1. Names, directions and scripts: `adaptation.languages`."""
AdaptationKind = Literal["translation", "personalization"]
PieceRole = Literal["title", "body"]


@dataclass(frozen=True, slots=True)
class Translate:
    """Into this language."""

    language: TargetLanguage

    @property
    def kind(self) -> AdaptationKind:
        return "translation"

    @property
    def variant(self) -> str:
        """What tells the results of one kind apart, as stored: "ur"."""
        return self.language


@dataclass(frozen=True, slots=True)
class Personalize:
    """For readers of this level who own this hardware."""

    level: Level
    hardware: Hardware

    @property
    def kind(self) -> AdaptationKind:
        return "personalization"

    @property
    def variant(self) -> str:
        """As stored: "beginner+none"."""
        return f"{self.level}+{self.hardware}"


Target = Translate | Personalize


def target_of(kind: AdaptationKind, variant: str) -> Target:
    """What is stored under these, and only of that."""
    if kind == "translation":
        return Translate(cast("TargetLanguage", variant))
    level, _, hardware = variant.partition("+")
    return Personalize(cast("Level", level), cast("Hardware", hardware))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a chapter that is adapted by itself: at most about 600 words, cut at headings and paragraphs.

    The texts of a chapter's "body" pieces joined are its whole Markdown, byte for byte. The "title" piece, "# Title"
    alone, exists when the title stands only in the front matter. `heading_path` names the headings above, the
    chapter's title first.
    """

    text: str
    heading_path: tuple[str, ...]
    role: PieceRole = "body"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a personalized chapter says beside its source. `section` is the heading it stands below, `kind`
    one of the labels of its level ("example", "definition", "common mistake"), `text` its first sentence."""

    section: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class AdaptedChapter:
    """A whole adapted chapter, complete and checked. `content_hash` is the source chapter's; `sections` counts its
    pieces; `title` is the adapted one. `coverage` (0..1, personalization only) is the share of the source's key
    sentences whose meaning is found again. `corrections` is the version of what people corrected in it ("": none)."""

    title: str
    content: str
    content_hash: str
    sections: int
    cached: bool
    changes: tuple[Change, ...] = ()
    coverage: float | None = None
    corrections: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a result depends on beside its chapter and its target: who makes it, by which instructions, and everything
    else that decides what is accepted and how it is put together."""

    model: str
    prompt_version: str
    checks_version: str


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A reply that was accepted once, with its marks, and what it cost."""

    text: str
    cost_microusd: int


@dataclass(frozen=True, slots=True)
class Correction:
    """A section as people want it, whole and unmasked. `source_hash` is the sha256 hex of the section's source
    (`Piece.text`); `heading` the one it stands below, for messages."""

    source_hash: str
    text: str
    heading: str


@dataclass(frozen=True, slots=True)
class Corrections:
    """Those of one chapter. `version` names the file that they came in ("": there are none): an adapted chapter is
    right only together with the corrections of its version."""

    sections: tuple[Correction, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be adapted, and for whom. `is_own_text`: the chapter was made of a client's own text; what becomes
    of it is never kept under a chapter's id."""

    target: Target
    chapter: Chapter
    is_own_text: bool = False


@dataclass(frozen=True, slots=True)
class SectionReady:
    """The next section of a chapter, as it stands there: the contents of all of them joined are the chapter. `index`
    counts from 0; `done` of `total` sections are written by now, some of them perhaps further on. The first content
    is "" where the chapter's title is a section of its own."""

    index: int
    done: int
    total: int
    content: str
