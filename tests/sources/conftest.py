"""A Binance feed on the stand-in exchange, over real HTTP. Only the time is ours."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import pytest

from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Binance
from tenantry.sources.providers.binance import BinanceFeed
from tenantry.testing.standins import StandIn, start_binance


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
    return FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
async def open_feed(clock: FrozenClock) -> AsyncIterator[Callable[..., BinanceFeed]]:
    feeds: list[BinanceFeed] = []

    def opened(url: str, timeout_seconds: float = 10) -> BinanceFeed:
        config = Binance(timeout_seconds=timeout_seconds, failures_max=3, open_seconds=10)
        feeds.append(config.open(url, clock, monotonic=lambda: clock.now().timestamp()))
        return feeds[-1]

    yield opened
    for feed in feeds:
        await feed.aclose()


@pytest.fixture
def feed(exchange: StandIn, open_feed: Callable[..., BinanceFeed]) -> BinanceFeed:
    return open_feed(exchange.url)


@pytest.fixture
def hasty_feed(exchange: StandIn, open_feed: Callable[..., BinanceFeed]) -> BinanceFeed:
    """For what never answers. A busy machine may be too slow for it where an answer is expected."""
    return open_feed(exchange.url, timeout_seconds=0.1)
