"""A Binance feed on the stand-in exchange, over real HTTP. Only the time is ours."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Binance, Polled
from tenantry.testing.standins import StandIn, start_binance

# What they share: `from sources.asking import ...`.
sys.path.append(str(Path(__file__).parents[1]))


class StillClock(FrozenClock):
    """All its time stands still until it is moved."""

    def monotonic(self) -> float:
        return self.now().timestamp()


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    with start_binance() as running:
        yield running


@pytest.fixture
def exchange(standin: StandIn) -> StandIn:
    standin.clear()
    return standin


@pytest.fixture
def clock() -> FrozenClock:
    return StillClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
async def open_feed(clock: FrozenClock) -> AsyncIterator[Callable[..., Polled]]:
    feeds: list[Polled] = []

    def opened(url: str, **changes: Any) -> Polled:
        config = Binance(**{"timeout_seconds": 10, "failures_max": 3, "open_seconds": 10, **changes})
        feeds.append(config.open(clock, base_url=url))
        return feeds[-1]

    yield opened
    for feed in feeds:
        await feed.aclose()


@pytest.fixture
def feed(exchange: StandIn, open_feed: Callable[..., Polled]) -> Polled:
    return open_feed(exchange.url)


@pytest.fixture
def hasty_feed(exchange: StandIn, open_feed: Callable[..., Polled]) -> Polled:
    """For what never answers. A busy machine may be too slow for it where an answer is expected."""
    return open_feed(exchange.url, timeout_seconds=0.1)
