"""Percentiles from roll-ups lie within ten percent of those of the calls themselves."""

import math
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tenantry.keys.calls.buckets import EDGES, ERROR_MAX, LATENCY_MS_MAX, bucket_of, percentile

latencies = st.integers(0, LATENCY_MS_MAX - 1) | st.integers(0, 50)


def true_percentile(values, share):
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@given(st.lists(latencies, min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_the_bound(values, share):
    counts = Counter(map(bucket_of, values))
    true = true_percentile(values, share)
    found = percentile(counts, share)
    assert found is not None
    assert abs(found - true) <= ERROR_MAX * true + 1e-9


def test_of_what_calls_look_like_too():
    chance = random.Random(20261121)
    for middle in (1, 5, 40, 300, 5000):
        values = [int(chance.lognormvariate(math.log(middle), 1)) for _ in range(5000)]
        counts = Counter(map(bucket_of, values))
        for share in (0.5, 0.95):
            true = true_percentile(values, share)
            assert abs(percentile(counts, share) - true) <= ERROR_MAX * true


def test_every_latency_has_its_bucket_and_few_buckets_are_enough():
    assert len(EDGES) < 80
    assert list(EDGES) == sorted(set(EDGES))
    for place, edge in enumerate(EDGES[:-1]):
        assert bucket_of(edge) == bucket_of(EDGES[place + 1] - 1) == edge
    assert bucket_of(10 * LATENCY_MS_MAX) == EDGES[-1]


def test_no_calls_have_no_percentile():
    assert percentile({}, 0.5) is None
