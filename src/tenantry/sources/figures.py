"""What `/metrics` tells of the sources."""

from collections.abc import Iterator

from tenantry.kernel.figures import Figure
from tenantry.kernel.runtime import Runtime

from .feeds import Feeds
from .providers.polled import Polled

_WORDS = {
    "tenantry_source_requests": "Requests sent upstream, by the status of the answer or the reason there was none.",
    "tenantry_source_calls": "Calls of a source, by where the answer came from or why there was none.",
    "tenantry_source_waits": "Symbols that stood in line before a request, by outcome: sent, or in vain.",
    "tenantry_source_wait_seconds": "Seconds that sent symbols stood in line, together.",
    "tenantry_source_waiting": "Symbols that stand in line now.",
    "tenantry_source_units_used": "Units of the upstream's limit used in this minute, as far as is known.",
    "tenantry_source_units_limit": "Units that the upstream allows a minute.",
    "tenantry_source_up": "1 while a source can be asked, 0 while its circuit is open or it asked for a pause.",
}


def source_figures(runtime: Runtime) -> Iterator[Figure]:
    """Every open source's counts. Own feeds that are no `Polled` have `tenantry_source_up` only."""
    for key, feed in runtime.port(Feeds):
        yield _gauge("tenantry_source_up", key, 0 if feed.trouble() else 1)
        if isinstance(feed, Polled):
            yield from _polled(key, feed)


def _polled(key: str, feed: Polled) -> Iterator[Figure]:
    counted = {
        "tenantry_source_requests": feed.host.outcomes,
        "tenantry_source_calls": feed.outcomes,
        "tenantry_source_waits": feed.waits,
    }
    for name, outcomes in counted.items():
        for outcome, count in outcomes.items():
            yield Figure(name, _WORDS[name], count, {"source": key, "outcome": outcome}, kind="counter")
    seconds = "tenantry_source_wait_seconds"
    yield Figure(seconds, _WORDS[seconds], feed.waited_seconds, {"source": key}, kind="counter")
    yield _gauge("tenantry_source_waiting", key, feed.waiting)
    if budget := feed.host.budget:
        yield _gauge("tenantry_source_units_used", key, budget.used)
        yield _gauge("tenantry_source_units_limit", key, budget.units_max)


def _gauge(name: str, key: str, value: float) -> Figure:
    return Figure(name, _WORDS[name], value, {"source": key})
