"""Percentiles of times that are kept as counts only."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.services.latency_buckets import LAST_BUCKET, bucket_of, doublings, quantile_s, upper_edge_s

TIMES = st.floats(min_value=1e-9, max_value=1e5)


@given(TIMES)
def test_a_time_lies_below_the_edge_of_its_bucket_and_above_that_of_the_one_before(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert 0 <= bucket <= LAST_BUCKET
    assert seconds <= upper_edge_s(bucket) * (1 + 1e-12)
    assert bucket == 0 or seconds > upper_edge_s(bucket - 1) * (1 - 1e-12)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-12])
def test_no_time_at_all_is_in_the_first_bucket(seconds: float) -> None:
    assert bucket_of(seconds) == 0


def test_an_hour_is_in_the_last_bucket_which_has_no_end() -> None:
    assert bucket_of(3600) == LAST_BUCKET
    assert upper_edge_s(LAST_BUCKET) == math.inf
    assert quantile_s({LAST_BUCKET: 3}, 0.5) < 3600


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.99])
@pytest.mark.parametrize("spread", [0.2, 1.0, 2.0])
def test_a_percentile_is_at_most_nine_percent_off(share: float, spread: float) -> None:
    times = np.random.default_rng(7).lognormal(mean=-1.0, sigma=spread, size=5_000)
    counts = Counter(bucket_of(float(seconds)) for seconds in times)
    true = float(np.quantile(times, share))
    assert quantile_s(counts, share) == pytest.approx(true, rel=0.09)


@given(st.lists(TIMES, min_size=1), st.lists(TIMES, min_size=1))
def test_counts_of_two_days_add_up_to_those_of_both(first: list[float], second: list[float]) -> None:
    apart = Counter(map(bucket_of, first)) + Counter(map(bucket_of, second))
    together = Counter(map(bucket_of, first + second))
    assert quantile_s(apart, 0.5) == quantile_s(together, 0.5)


@given(st.lists(TIMES, min_size=1))
def test_percentiles_do_not_fall(times: list[float]) -> None:
    counts = Counter(map(bucket_of, times))
    found = [quantile_s(counts, share) for share in (0.0, 0.1, 0.5, 0.9, 0.95, 1.0)]
    assert found == sorted(found)


def test_the_shown_edges_double() -> None:
    edges = [upper_edge_s(bucket) for bucket in doublings()]
    assert edges[0] == 0.00025
    assert all(after == pytest.approx(2 * before) for before, after in itertools.pairwise(edges))
    assert edges[-1] == pytest.approx(1048.576)
