"""Which questions mean the same, so that an owner reads each of them once.

Knows vectors and texts, nothing of where they come from. Two that are one by mistake both stand in the report still,
as wordings of one line. "Python 3.8" and "Python 3.12" are never one, however near.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.app.models.domain import OpenQuestion

ALIKE = 0.88
"""Cosine. Twelve of fourteen pairs that mean the same have 0.89-0.99 (lower: a misspelt one); pairs that do not, in
nearly the same words, at most 0.86, but for numbers and for words in another order."""
ALIKE_IN_OTHER_LANGUAGES = 0.94
"""The embedding model was made for English: in Urdu it takes more for alike (other questions up to 0.90)."""
_NUMBER = re.compile(r"\d+(?:\.\d+)*")

Vectors = NDArray[np.float32]


def group_alike(questions: Sequence[OpenQuestion], vectors: Vectors) -> list[list[int]]:
    """Places of questions in groups, the one that was asked most often first in its group, and the largest group
    first. `vectors`: of each question, L2-normalised."""
    order = sorted(range(len(questions)), key=lambda index: -questions[index].asked)
    groups: list[list[int]] = []
    for index in order:
        home = next((group for group in groups if _are_alike(questions, vectors, group[0], index)), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    return sorted(groups, key=lambda group: -sum(questions[index].asked for index in group))


def _are_alike(questions: Sequence[OpenQuestion], vectors: Vectors, first: int, second: int) -> bool:
    one, other = questions[first], questions[second]
    is_english = one.language == other.language == "en"
    near = float(vectors[first] @ vectors[second]) >= (ALIKE if is_english else ALIKE_IN_OTHER_LANGUAGES)
    return near and _numbers(one.text) == _numbers(other.text)


def _numbers(text: str) -> Counter[str]:
    return Counter(_NUMBER.findall(text))
