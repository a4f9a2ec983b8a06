"""What the reader wrote, as the one tagged text block that Claude gets: data, never instructions. Pure."""

import re
from typing import Literal

DEFAULT_QUESTION = "Explain this passage."
_OWN_TAG = re.compile(r"<(?=\s*/?\s*(?:question|selected_text)\b)", re.IGNORECASE)


def question_block(question: str, selection: str = "", *, origin: Literal["book", "reader"] = "reader") -> str:
    """`origin` says whether the selection was found in the book. Other tags in the text, code for instance, stay."""
    marked = f'<selected_text from="{origin}">\n{_escaped(selection)}\n</selected_text>\n\n' if selection else ""
    return f"{marked}<question>\n{_escaped(question)}\n</question>"


def _escaped(text: str) -> str:
    """Our own tags inside the text cannot open or close anything."""
    return _OWN_TAG.sub("&lt;", text)
