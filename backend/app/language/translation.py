"""An Urdu or Roman Urdu question -> the English words to search a book with. No model, no guess at grammar.

Each word is, in this order: an English word of the book; a word of the dictionary; an English word as Urdu spells
it, found in the book by its sound; or left as it is. What only builds the sentence is dropped.
"""

from collections.abc import Iterator, Sequence

from backend.app.language.glossary import LONGEST_ENTRY, Entry, find_exact, find_inflected, is_function_word
from backend.app.language.letter_names import read_letter_names
from backend.app.language.spelling import is_urdu_script, tokens
from backend.app.language.vocabulary import Vocabulary

MOST_WORDS = 60
"""Words of a question that are looked at: it bounds the time for a page of text."""
LONGEST_WORD = 40
_MEANINGS = 2


def english_forms(question: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """What to search beside the question itself; empty when the book is in Urdu or no English word was found."""
    if vocabulary.is_urdu:
        return ()
    words = list(
        dict.fromkeys(
            _english_words([word for word in tokens(question) if len(word) <= LONGEST_WORD][:MOST_WORDS], vocabulary)
        )
    )
    gloss = " ".join(words)
    return (gloss,) if gloss else ()


def _english_words(words: Sequence[str], vocabulary: Vocabulary) -> Iterator[str]:
    at = 0
    while at < len(words):
        length, found = _next(words, at, vocabulary)
        yield from found
        at += length


def _next(words: Sequence[str], at: int, vocabulary: Vocabulary) -> tuple[int, list[str]]:
    """How many words were read, and what they mean."""
    if letters := read_letter_names(words, at, vocabulary):
        return letters
    for length in range(min(LONGEST_ENTRY, len(words) - at), 1, -1):
        if entry := find_exact(" ".join(words[at : at + length])):
            return length, _meanings(entry, vocabulary)
    if heard := _pair(words[at : at + 2], vocabulary):
        return 2, list(heard)
    return 1, _one_word(words[at], vocabulary)


def _pair(words: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Two Urdu words that the book writes as one: نیٹ ورک is network."""
    unknown = [word for word in words if is_urdu_script(word) and not (is_function_word(word) or find_exact(word))]
    return vocabulary.sounding_like("".join(unknown)) if len(unknown) == 2 else ()


def _one_word(word: str, vocabulary: Vocabulary) -> list[str]:
    return _urdu_word(word, vocabulary) if is_urdu_script(word) else _latin_word(word, vocabulary)


def _urdu_word(word: str, vocabulary: Vocabulary) -> list[str]:
    if is_function_word(word):
        return []
    if entry := find_exact(word) or find_inflected(word):
        return _meanings(entry, vocabulary)
    return list(vocabulary.sounding_like(word))


def _latin_word(word: str, vocabulary: Vocabulary) -> list[str]:
    if is_function_word(word):
        return []
    entry = find_exact(word)
    if word in vocabulary:
        return [word, *(_meanings(entry, vocabulary) if entry else [])]
    if entry := entry or find_inflected(word):
        return _meanings(entry, vocabulary)
    return list(vocabulary.sounding_like(word)) or [word]


def _meanings(entry: Entry, vocabulary: Vocabulary) -> list[str]:
    """Those that the book has, else the most usual one."""
    known = [meaning for meaning in entry.meanings if all(word in vocabulary for word in meaning.split())]
    return (known or list(entry.meanings[:1]))[:_MEANINGS]
