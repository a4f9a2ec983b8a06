"""What Claude's tokens cost. The prices are data with the day they were read, in `claude_prices.json`.

Dollars per million tokens are millionths of a dollar per token, so a cost is a sum of products. Money is whole
millionths of a dollar, rounded up; a model without a price has no cost instead of none to pay.
"""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from backend.app.services.claude_reply import Usage

LONG_PROMPT_TOKENS = 100_000
"""A request with more, cached tokens included, costs the higher price for every token where a model has one."""
MICROUSD = 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Millionths of a dollar per token. `cache_write`: kept for five minutes."""

    input: Decimal
    output: Decimal
    cache_write: Decimal
    cache_read: Decimal

    def times(self, factor: Decimal) -> "Rates":
        return Rates(*(rate * factor for rate in (self.input, self.output, self.cache_write, self.cache_read)))


@dataclass(frozen=True, slots=True)
class Price:
    """`over_long` is for requests above LONG_PROMPT_TOKENS; None where they cost the same."""

    rates: Rates
    over_long: Rates | None

    def cost_microusd(self, usage: Usage) -> int:
        """Of one request: the size of its prompt decides about the price of all its tokens."""
        rates = self.over_long if self.over_long and usage.prompt_tokens > LONG_PROMPT_TOKENS else self.rates
        return math.ceil(
            usage.input_tokens * rates.input
            + usage.output_tokens * rates.output
            + usage.cache_write_tokens * rates.cache_write
            + usage.cache_read_tokens * rates.cache_read
        )

    def times(self, factor: Decimal) -> "Price":
        return Price(self.rates.times(factor), self.over_long.times(factor) if self.over_long else None)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """`checked_on` is an ISO date; `batch_multiplier` is what a line of a batch costs of the same call alone."""

    checked_on: str
    batch_multiplier: Decimal
    prices: dict[str, Price]


@cache
def price_table() -> PriceTable:
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text, parse_float=Decimal)
    prices = {model: _price(entry) for model, entry in content["usd_per_million_tokens"].items()}
    return PriceTable(content["checked_on"], content["batch_multiplier"], prices)


def find_price(model: str) -> Price | None:
    """None for a model that is not in the table: never assume that it is free."""
    return price_table().prices.get(model)


def find_batch_price(model: str) -> Price | None:
    """The same for a line of a batch."""
    price = find_price(model)
    return price.times(price_table().batch_multiplier) if price else None


def _price(entry: dict[str, Any]) -> Price:
    over_long = entry.get("over_100k_prompt")
    return Price(_rates(entry), _rates(over_long) if over_long else None)


def _rates(entry: dict[str, Any]) -> Rates:
    return Rates(**{name: Decimal(entry[name]) for name in ("input", "output", "cache_write", "cache_read")})
