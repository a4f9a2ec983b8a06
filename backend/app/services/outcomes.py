"""What the sentences of a reply say beside their facts: that the book holds nothing, that a part stays open, words of
our own instructions, or something that nobody cited. One sentence at a time, so that a stream can ask too. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from backend.app.models.domain import QuestionLanguage
from backend.app.prompts import load_prompt
from backend.app.services.normalised_text import words
from backend.app.textbook.analyzer import terms

NOT_IN_THE_BOOK = "I don't have this information in the book."
LONGEST_OPEN_SENTENCE = 300
RULE_WORDS = 7
"""A sentence that has so many words in a row in common with our instructions recites them."""
FEWEST_RULE_WORDS = 4
KNOWN_SHARE = 0.5
"""Share of an uncited English sentence's terms that the passages or the question must hold."""
_LEAD_IN_WORDS = 12
_LONGEST_WORD = 40  # longer ones are encoded text, not language

# The instructions ask for "[open]" at the beginning of the line.
_OPEN_MARK = re.compile(r"^[\s>*_\-]*[\[(]\s*open\s*[\])][\s:*_.\-–—]*", re.IGNORECASE)
_OPEN_PHRASE = re.compile(
    r"^\W*(?:(?:however|but|still|lekin|magar|لیکن|تاہم|البتہ)\W*)?(?:"
    r"(?:the|this) (?:book|textbook|passages?|chapter)s? (?:itself )?(?:does|do|did)(?: not|n't) "
    r"(?:say|state|mention|explain|give|cover|describe|specify|tell|discuss|name|compare|define|provide|address)"
    r"|(?:kitab|book) (?:mein|me|main|yeh|ye|is|iski|is ki)\b.*\bnah(?:i|in|ee|een)\b"
    r"|(?:یہ )?کتاب (?:میں|یہ|اس|نے)\b.*نہیں)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SIGNS = str.maketrans("’‘", "''")


def says_not_in_the_book(text: str) -> bool:
    """Whether the reply is the fixed sentence, or begins with it."""
    return _said(text).startswith(_said(NOT_IN_THE_BOOK).rstrip("."))


def may_say_not_in_the_book(beginning: str) -> bool:
    """Whether a reply that begins so says it, or may come to say it."""
    said, sentence = _said(beginning), _said(NOT_IN_THE_BOOK).rstrip(".")
    return said.startswith(sentence) or sentence.startswith(said)


def read_open_mark(sentence: str, *, cited: bool) -> tuple[str, bool]:
    """A sentence as it may be shown, and whether it says that the book leaves a part open.

    The mark never reaches a reader. An uncited sentence that says so without the mark counts too; one that is far too
    long for its purpose is left out.
    """
    shown, marks = _OPEN_MARK.subn("", sentence, count=1)
    if not marks and not cited:
        marks = int(says_not_in_the_book(sentence) or bool(_OPEN_PHRASE.match(sentence.translate(_SIGNS))))
    if not marks or cited:
        return shown, bool(marks)
    return (shown if len(shown) <= LONGEST_OPEN_SENTENCE else ""), True


def recites_rules(sentence: str) -> bool:
    """Whether the sentence repeats our instructions: so many of their words in a row, or all of its words when it is
    shorter. The sentence for missing information belongs to the reader."""
    found = words(sentence.translate(_SIGNS)).split()
    size = min(RULE_WORDS, len(found))
    return size >= FEWEST_RULE_WORDS and not _rows_of_words(found, size).isdisjoint(_rules(size))


def known_terms(texts: Iterable[str]) -> frozenset[str]:
    """What an uncited sentence may be made of: terms of the passages and of the question."""
    return frozenset(term for text in texts for term in [*terms(text), *_NUMBER.findall(text)])


def may_stand_uncited(sentence: str, known: frozenset[str], language: QuestionLanguage) -> bool:
    """Whether a sentence without a citation adds nothing of its own to the cited ones around it.

    Its numbers must be known; an English one must be made of known terms by half, unless it only leads in to what
    follows; other languages than the book's cannot be compared by words. Amid Urdu script, what is in Latin letters
    counts as English.
    """
    if any(number not in known for number in _NUMBER.findall(sentence)):
        return False
    if any(len(word) > _LONGEST_WORD for word in sentence.split()):
        return False
    said = frozenset(term for term in terms(sentence) if term.isascii())
    is_english = language == "en" or (language == "ur" and sentence.isascii())
    if not is_english or not said or _leads_in(sentence):
        return True
    return len(said & known) >= KNOWN_SHARE * len(said)


def _leads_in(sentence: str) -> bool:
    return sentence.rstrip().endswith(":") and len(sentence.split()) <= _LEAD_IN_WORDS


def _said(text: str) -> str:
    return text.translate(_SIGNS).strip(" \n\"'*_>").casefold()


def _rows_of_words(found: Sequence[str], size: int) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(found[at : at + size]) for at in range(len(found) - size + 1))


@cache
def _rules(size: int) -> frozenset[tuple[str, ...]]:
    texts = (load_prompt("answer").text, load_prompt("rewrite").text)
    rows = frozenset[tuple[str, ...]]().union(*(_rows_of_words(words(text).split(), size) for text in texts))
    return rows - _rows_of_words(words(NOT_IN_THE_BOOK).split(), size)
