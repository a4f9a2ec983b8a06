"""Text as every request may send it: what the database and JSON can hold, and nothing else."""

from typing import Annotated

from pydantic import BeforeValidator, StringConstraints


def _unstorable(text: str) -> str | None:
    if "\0" in text:
        return "Must not contain the NUL character."
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "Must be valid Unicode: it contains half of a character (a lone surrogate)."
    return None


def is_storable(text: str) -> bool:
    """Whether SafeText would take it: for fields that are ignored rather than refused."""
    return _unstorable(text) is None


def _storable(value: object) -> object:
    if isinstance(value, str) and (why := _unstorable(value)):
        raise ValueError(why)
    return value


SafeText = Annotated[str, BeforeValidator(_storable)]
"""The base of every string a client sends: without NUL (Postgres refuses it) and without lone surrogates (they
have no UTF-8). All else passes untouched: any script, right-to-left marks, emoji, control characters."""

TrimmedText = Annotated[SafeText, StringConstraints(strip_whitespace=True)]
"""SafeText without white space around it; add a length with Field."""
