"""Latencies by the bucket: few enough to be counted by the hour, narrow enough for percentiles within ten percent.

A bucket is named by its lower edge in whole milliseconds: 0, 1, 2, 3, 4, 5 (and 6), 7 (and 8), 9 to 10, 11 to 13, and
so on, each as wide as the ten percent allow. The last begins at about an hour and has no end.
"""

from bisect import bisect_right
from collections.abc import Mapping

ERROR_MAX = 0.1
"""How far a percentile may be from the true one, as a share of it."""
LATENCY_MS_MAX = 3_600_000


def _edges() -> list[int]:
    edges = [0]
    while edges[-1] < LATENCY_MS_MAX:
        edges.append(_last_of(edges[-1]) + 1)
    return edges


def _last_of(edge: int) -> int:
    # What is estimated for a bucket lies between its ends, as far from either: (b - a) / (b + a) of each at most.
    return int(edge * (1 + ERROR_MAX) / (1 - ERROR_MAX) + 1e-9)


EDGES = tuple(_edges())


def bucket_of(latency_ms: int) -> int:
    """The lower edge of a latency's bucket."""
    return EDGES[bisect_right(EDGES, latency_ms) - 1]


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The latency in ms that `share` (0 to 1) of the calls did not exceed; None without calls. Within `ERROR_MAX`.

    `counts` has how many calls there were by the lower edge of their bucket.
    """
    wanted, seen = share * sum(counts.values()), 0
    for edge in sorted(counts):
        seen += counts[edge]
        if seen >= wanted and seen:
            return _estimate(edge)
    return None


def _estimate(edge: int) -> float:
    """The value that is at most `ERROR_MAX` away from whatever is in the bucket: the harmonic mean of its ends."""
    last = _last_of(edge)
    return 2 * edge * last / (edge + last) if edge else 0.0
