"""What translated and personalized chapters have in common as the API speaks of them."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from backend.app.models.progress import MAX_REFERENCE_CHARS
from backend.app.models.text import SafeText, TrimmedText

MAX_CONTENT_CHARS = 80_000
"""The longest chapter of the books at hand has 60,000."""
MAX_CONTENT_SIGNS = 16_000
"""Line ends and signs of Markdown, each of which costs time: 14 of 100 characters at most in the books at hand, 3,700
in one chapter. A text of nothing else is no chapter."""
_SIGNS = re.compile(r"[\n<>{}$`\\\[\]|⟦*_#&:~!]")
OWN_TEXT = "This text is not a chapter of the book, so it was adapted by itself."


def _none_when_empty(value: object) -> object:
    return None if value == "" else value


def _with_words(text: str) -> str:
    if not any(map(str.isalnum, text)):
        raise ValueError("There is no text in it.")
    return text


def _readable(text: str) -> str:
    if len(_SIGNS.findall(text)) > MAX_CONTENT_SIGNS:
        raise ValueError(f"It has more than {MAX_CONTENT_SIGNS} line ends and signs of Markdown.")
    return text


Content = Annotated[
    Annotated[SafeText, Field(max_length=MAX_CONTENT_CHARS), AfterValidator(_with_words), AfterValidator(_readable)]
    | None,
    BeforeValidator(_none_when_empty),
    Field(
        description="The text to adapt, as Markdown or as a page shows it. A chapter of the book, up to small"
        " differences, is taken for that chapter, whatever `chapter_id` says; any other text is adapted by itself."
        f" At most {MAX_CONTENT_SIGNS} of its characters may be line ends or signs of Markdown."
        " Left out or empty: the chapter that `chapter_id` names."
    ),
]


class ChapterWish(BaseModel):
    """Which chapter is wanted."""

    chapter_id: Annotated[TrimmedText, Field(min_length=1, max_length=MAX_REFERENCE_CHARS)] = Field(
        description="The document id, a file name, a slug or a permalink, as in /api/chapters/{chapter_id}; anything"
        " with `chapter_content`.",
        examples=["foundations/sensors"],
    )
    chapter_content: Content = None


class AdaptedOut(BaseModel):
    """A whole chapter, complete and checked against its source."""

    chapter_id: str = Field(description="Of the book's chapter; for any other text what was sent.")
    title: str
    cached: bool = Field(description="Nothing had to be written for this request.")
    content_hash: str = Field(description="Of the source: changes whenever the chapter changes.")
    sections: int = Field(description="Parts that were adapted one by one.")
    warning: str | None = Field(None, description="Set when the text is not a chapter of the book.")
