"""Text stripped to what two copies of it share, whatever their markup, white space, letter case and Unicode form."""

import re
import unicodedata

_NO_LETTER = re.compile(r"[\W_]+")


def letters(text: str) -> str:
    """Only letters and digits, nothing between them."""
    return _NO_LETTER.sub("", _one_form(text))


def words(text: str) -> str:
    """The words with one space around each, so that `in` finds whole words only."""
    return f" {' '.join(word_list(text))} "


def word_list(text: str) -> list[str]:
    """The words in their order."""
    return _NO_LETTER.sub(" ", _one_form(text)).split()


def _one_form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
