"""Costs in millionths of a dollar."""

import pytest

from backend.app.services.claude_prices import find_batch_price, find_price, price_table
from backend.app.services.claude_reply import Usage
from backend.app.utils.config import KNOWN_MODELS


def cost(model: str, **tokens: int) -> int:
    price = find_price(model)
    assert price
    return price.cost_microusd(Usage(**tokens))


@pytest.mark.parametrize(
    ("model", "tokens", "microusd"),
    [
        ("claude-haiku-5-5", {"input_tokens": 3_100, "output_tokens": 450}, 535),
        ("claude-sonnet-5-5", {"input_tokens": 3_100, "output_tokens": 450}, 10_700),
        ("claude-opus-5-5", {"input_tokens": 1_000_000}, 4_000_000),
        ("claude-haiku-5-5", {"cache_write_tokens": 1_000, "cache_read_tokens": 1_000}, 135),
        ("claude-haiku-5-5", {"input_tokens": 1}, 1),  # rounded up: many small calls must not be free
        ("claude-haiku-5-5", {}, 0),
    ],
)
def test_a_request_costs_its_tokens(model: str, tokens: dict[str, int], microusd: int) -> None:
    assert cost(model, **tokens) == microusd


def test_a_long_prompt_makes_every_token_dearer_where_the_model_says_so() -> None:
    assert cost("claude-haiku-5-5", input_tokens=100_000, output_tokens=1_000) == 10_500
    assert cost("claude-haiku-5-5", input_tokens=60_000, cache_read_tokens=40_001, output_tokens=1_000) == 34_501
    assert cost("claude-sonnet-5-5", input_tokens=200_000) == 400_000


@pytest.mark.parametrize(
    ("model", "tokens", "microusd"),
    [
        ("claude-sonnet-5-5", {"input_tokens": 3_100, "output_tokens": 450}, 5_350),
        ("claude-haiku-5-5", {"cache_write_tokens": 1_000, "cache_read_tokens": 1_000}, 68),  # 67.5
        ("claude-haiku-5-5", {"input_tokens": 100_001}, 25_001),
        ("claude-haiku-5-5", {"input_tokens": 1}, 1),
    ],
)
def test_a_line_of_a_batch_costs_half(model: str, tokens: dict[str, int], microusd: int) -> None:
    price = find_batch_price(model)
    assert price
    assert price.cost_microusd(Usage(**tokens)) == microusd


def test_every_known_model_has_a_price_and_an_unknown_one_has_none() -> None:
    assert set(price_table().prices) == set(KNOWN_MODELS)
    assert find_price("claude-tomorrow") is None
    assert find_batch_price("claude-tomorrow") is None
    assert price_table().checked_on.startswith("20")
