"""A link that opens the book at the quoted words: site, route, anchor, and a text fragment for the browser.

Follows the text fragment specification (wicg.github.io/scroll-to-text-fragment): a browser that does not know it
still opens the heading. Pure.
"""

import re
from functools import lru_cache
from urllib.parse import quote as percent_encode

from backend.app.models.domain import Chunk
from backend.app.textbook.parser import parse_blocks, plain_text, split_lines

_WHOLE_WORDS = 12  # up to here the fragment holds the whole quote
_EDGE_WORDS = 6  # beyond, its first and last words
_PATH_SAFE = "-._~!$&'()*+,;=:@/%"  # a route may be encoded already
# Left of an emphasis over several sentences of which one is quoted; the `*` of "A*" is shown and stays.
_HALF_EMPHASIS = re.compile(r"(?<!\S)\*+(?=\w)|(?<=[.,;:!?…])\*+(?!\S)|(?<=\w)\*{2,}(?!\S)|\*+$")
_ANCHOR_SAFE = "-._~!$&'()*+,;=:@/?"


def deep_link(chunk: Chunk, quote: str, site_url: str | None) -> str:
    """Relative to the site's root when `site_url` is None."""
    page = (site_url or "").rstrip("/") + percent_encode(chunk.url, safe=_PATH_SAFE)
    directive = _text_directive(quote)
    if not chunk.anchor and not directive:
        return page
    return f"{page}#{percent_encode(chunk.anchor, safe=_ANCHOR_SAFE)}{directive}"


@lru_cache(maxsize=1_000)
def _text_directive(quote: str) -> str:
    """`:~:text=...`, or "" where the page shows other characters than the source: code, tables, formulas.
    Remembered: it parses Markdown, ~1 ms, and the same sentences are cited again and again."""
    paragraphs = _plain_paragraphs(quote)
    if not paragraphs:
        return ""
    first, last = paragraphs[0], paragraphs[-1]
    if len(paragraphs) == 1 and len(first) <= _WHOLE_WORDS:
        return f":~:text={_encoded(first)}"
    return f":~:text={_encoded(first[:_EDGE_WORDS])},{_encoded(last[-_EDGE_WORDS:])}"


def _plain_paragraphs(quote: str) -> list[list[str]]:
    """The words of each paragraph as the page shows them; none when any part is not prose."""
    blocks = parse_blocks(quote)
    if "$" in quote or any(block.kind not in ("text", "heading") for block in blocks):
        return []
    lines = split_lines(quote)
    shown = (plain_text("".join(lines[block.start : block.end])) for block in blocks)
    return [words for text in shown if (words := _HALF_EMPHASIS.sub("", text).split())]


def _encoded(words: list[str]) -> str:
    """Everything but letters, digits, `_`, `.` and `~` is escaped; `-`, `,` and `&` have a meaning there."""
    return percent_encode(" ".join(words), safe="").replace("-", "%2D")
