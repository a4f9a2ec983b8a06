"""Shares and means with their 95 % intervals. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z = 1.959964  # 95 %, two-sided
_RESAMPLES = 1_000
_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean of `count` values in 0..1, and the interval that holds the true one with 95 % confidence."""

    value: float
    low: float
    high: float
    count: int


def figure(values: Sequence[float]) -> Figure | None:
    """Wilson's interval when every value is 0 or 1, else a bootstrap with a fixed seed; None without values."""
    if not values:
        return None
    if all(value in (0.0, 1.0) for value in values):
        return wilson(sum(values), len(values))
    return bootstrap(values)


def wilson(hits: float, count: int) -> Figure:
    """Wilson's score interval (1927), which also holds for small counts and shares near 0 or 1."""
    share, spread = hits / count, _Z**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return Figure(share, max(0.0, centre - half), min(1.0, centre + half), count)


def bootstrap(values: Sequence[float]) -> Figure:
    """Percentiles of the means of resamples; the same values always give the same interval."""
    known, random = np.asarray(values, dtype=np.float64), np.random.default_rng(_SEED)
    means = [known[random.integers(0, len(known), size=len(known))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Figure(float(known.mean()), float(low), float(high), len(values))


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share * 100)) if values else 0.0
