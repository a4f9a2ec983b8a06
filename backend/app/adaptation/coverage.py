"""Whether a personalized chapter still says what its source says: the share of the source's key sentences whose
meaning is found again. Reported beside the chapter; what must hold is checked without vectors (see
`personalization`).

Pure: whoever calls it embeds the sentences (`Vectors`: one L2-normalised row for each).
"""

import re

import numpy as np
from numpy.typing import NDArray

from backend.app.adaptation.prose import WORD, raw_paragraphs, sentences, sentences_of, words_of

__all__ = ["FOUND", "coverage", "key_sentences", "sentences"]

Vectors = NDArray[np.float32]
FOUND = 0.6
"""Cosine from which a sentence counts as said again."""
FEWEST_WORDS = 5
_BOLD = re.compile(r"\*\*\S|__\S")
_DEFINES = re.compile(r"\b(?:is|are) (?:an?|the|called)\b|\bmeans?\b|\brefers? to\b|\bdefined as\b|\bconsists? of\b")


def key_sentences(text: str) -> list[str]:
    """Of a chapter's Markdown, in order: what defines something or has a bold term, and the first sentence of each
    paragraph and list item. Sentences of fewer than five words say too little to be compared."""
    found = [
        words_of(sentence)
        for paragraph in raw_paragraphs(text)
        for number, sentence in enumerate(sentences_of(paragraph))
        if number == 0 or _BOLD.search(sentence) or _DEFINES.search(sentence)
    ]
    return [sentence for sentence in dict.fromkeys(found) if len(WORD.findall(sentence)) >= FEWEST_WORDS]


def coverage(source: Vectors, adapted: Vectors) -> float:
    """The share of the rows of `source` (its key sentences) to which a row of `adapted` (all sentences of the adapted
    text) comes near enough. 1.0 when the source has none."""
    if not len(source):
        return 1.0
    if not len(adapted):
        return 0.0
    nearest: Vectors = (source @ adapted.T).max(axis=1)
    return int(np.count_nonzero(nearest >= FOUND)) / len(source)
