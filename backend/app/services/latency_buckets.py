"""Times as counts in buckets, so that days and processes add up and a percentile can still be told.

A bucket is a fifth wider than the one before: what is told of a percentile is at most 9 % off its true value. Pure.
"""

import math
from collections.abc import Mapping

_FIRST_EDGE_S = 0.00025
_PER_DOUBLING = 4
LAST_BUCKET = 22 * _PER_DOUBLING + 1
"""Everything above 17 minutes."""


def bucket_of(seconds: float) -> int:
    """The number of the bucket; the first one, 0, holds everything up to a quarter of a millisecond."""
    if seconds <= _FIRST_EDGE_S:
        return 0
    return min(math.ceil(_PER_DOUBLING * math.log2(seconds / _FIRST_EDGE_S)), LAST_BUCKET)


def upper_edge_s(bucket: int) -> float:
    """Infinite for the last one."""
    return math.inf if bucket >= LAST_BUCKET else _FIRST_EDGE_S * 2 ** (bucket / _PER_DOUBLING)


def doublings() -> range:
    """The buckets whose edge is twice that of the one before in this range: few enough to be shown."""
    return range(0, LAST_BUCKET, _PER_DOUBLING)


def quantile_s(counts: Mapping[int, int], share: float) -> float:
    """The time that `share` (0 to 1) of the counted ones stayed below. `counts`: bucket -> how many, not all 0."""
    left = share * sum(counts.values())
    for bucket, count in sorted(counts.items()):
        if count and left <= count:
            return _within(bucket, left / count)
        left -= count
    return _within(max(counts), 1.0)


def _within(bucket: int, share: float) -> float:
    """Between the edges as on a logarithmic scale, on which their distance is always the same."""
    if bucket == 0:
        return _FIRST_EDGE_S * share
    return _FIRST_EDGE_S * 2 ** ((min(bucket, LAST_BUCKET - 1) - 1 + share) / _PER_DOUBLING)
