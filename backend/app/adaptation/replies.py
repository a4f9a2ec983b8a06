"""The text in a model's reply: without what a good model sometimes wraps around it or sprinkles into it, and that
anybody may take away again because it says nothing.

Everything else that is wrong with a reply is for the checks. Must not know languages or kinds of adaptation. Pure.
"""

import re
import unicodedata

_FENCE = re.compile(
    r"\A\s*(?P<fence>`{3,}|~{3,})[ \t]*(?:markdown|md|mdx)?[ \t]*\n(?P<text>(?:(?!(?P=fence)).)*\n)(?P=fence)\s*\Z",
    re.DOTALL,
)
_TAG = re.compile(r"\A\s*<piece>[ \t]*\n?(?P<text>(?:(?!</?piece>).)*)</piece>\s*\Z", re.DOTALL)
_INVISIBLE = frozenset("\u00ad\u061c\u200e\u200f\u2066\u2067\u2068\u2069\ufeff")
"""Soft hyphen, direction marks, isolates (a chapter gets its own where it needs them), byte order mark. Overrides and
zero-width spaces are for the checks: no keyboard and no good model writes them."""


def text_of(reply: str, source: str) -> str:
    """The reply to a masked source without a fence or the request's own tag around all of it, without invisible
    characters that the source does not have, and with western digits."""
    text = _unwrapped(reply)
    unwanted = _INVISIBLE.difference(source)
    return "".join(_western(character) for character in text if character not in unwanted)


def _western(character: str) -> str:
    """The digits of every script as 0-9: those of the source, in all languages."""
    if character.isascii() or not character.isdecimal():
        return character
    return str(unicodedata.decimal(character))


def _unwrapped(reply: str) -> str:
    for wrapping in (_FENCE, _TAG, _FENCE):
        if match := wrapping.match(reply):
            reply = match["text"]
    return reply
