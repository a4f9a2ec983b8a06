"""What writing a section will cost: an estimate from its request, and the most that the ledger holds for it.

There is no public tokenizer of these models, so the estimate counts characters, with figures for planning; the most
is what no call passes. Pure.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backend.app.adaptation.languages import LANGUAGES
from backend.app.adaptation.requests import TOKENS_PER_MARK
from backend.app.models.adaptation import Target, Translate
from backend.app.services.adaptation_plan import PlannedPiece
from backend.app.services.claude_budget import dearest_usage
from backend.app.services.claude_prices import find_batch_price, find_price
from backend.app.services.claude_reply import Usage

CHARS_PER_TOKEN = 3.6
"""Of English prose; measured by others for the tokenizer of these models."""
CHARS_PER_TOKEN_BEYOND_LATIN = 1.4
"""Of Arabic script, by an older tokenizer; Devanagari is near it."""
TOKENS_PER_MESSAGE = 10
EXPECTED_OF_RESERVED = 4.5 / 6.5
"""Of the tokens that a word is given room for in a translation: Urdu is expected to need 4.5."""
PERSONALIZED_PER_SOURCE = 1.25
"""Tokens that are written for each that is read of the section. What a model thinks before it writes is not in it."""
_BEYOND_LATIN = re.compile("[\u0590-\uffff]")


@dataclass(frozen=True, slots=True)
class Cost:
    """Millionths of a dollar."""

    expected_microusd: int = 0
    most_microusd: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.expected_microusd + other.expected_microusd, self.most_microusd + other.most_microusd)


def section_cost(target: Target, planned: PlannedPiece, *, in_batch: bool) -> Cost:
    """Of one try. Nothing for a section without words, and for a model without a price."""
    request = planned.request
    if request is None:
        return Cost()
    price = (find_batch_price if in_batch else find_price)(request["model"])
    if price is None:
        return Cost()
    read = sum(map(_tokens, _texts(request))) + TOKENS_PER_MESSAGE * len(request["messages"])
    expected = Usage(input_tokens=math.ceil(read), output_tokens=math.ceil(_written(target, planned)))
    return Cost(price.cost_microusd(expected), price.cost_microusd(dearest_usage(request)))


def _written(target: Target, planned: PlannedPiece) -> float:
    if not isinstance(target, Translate):
        return _tokens(planned.masked.text) * PERSONALIZED_PER_SOURCE
    words = planned.masked.words * LANGUAGES[target.language].tokens_per_word
    return (words + len(planned.masked.masks) * TOKENS_PER_MARK) * EXPECTED_OF_RESERVED


def _tokens(text: str) -> float:
    dense = len(_BEYOND_LATIN.findall(text))
    return dense / CHARS_PER_TOKEN_BEYOND_LATIN + (len(text) - dense) / CHARS_PER_TOKEN


def _texts(request: dict[str, Any]) -> Iterator[str]:
    for part in (*request["system"], *(part for message in request["messages"] for part in message["content"])):
        yield part["text"]
