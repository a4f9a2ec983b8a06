"""Intervals against published values and against chance itself."""

import random

import pytest

from backend.app.evaluation.statistics import bootstrap, figure, percentile, wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [  # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(hits: int, count: int, low: float, high: float) -> None:
    found = wilson(hits, count)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert (found.value, found.count) == (hits / count, count)


def test_the_bootstrap_is_the_same_every_time_and_holds_the_mean_of_most_samples() -> None:
    values = [1.0, 0.5, 0.25, 0.0] * 25
    assert bootstrap(values) == bootstrap(values)
    chance = random.Random(5)
    samples = [[chance.random() for _ in range(60)] for _ in range(100)]
    held = sum(found.low <= 0.5 <= found.high for found in map(bootstrap, samples))
    assert 88 <= held <= 100  # 95 expected; five of a hundred samples lie outside by chance


def test_shares_get_wilsons_interval_and_other_means_the_bootstraps() -> None:
    assert figure([]) is None
    assert figure([1.0, 0.0, 1.0]) == wilson(2, 3)
    assert figure([1.0, 0.5]) == bootstrap([1.0, 0.5])
    certain = figure([1.0] * 10)
    assert certain
    assert certain.low < 0.75  # ten of ten prove little


def test_percentiles_of_nothing_are_0() -> None:
    assert percentile([], 0.5) == 0.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
