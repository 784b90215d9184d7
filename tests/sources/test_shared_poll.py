"""One request for many callers of Binance; nobody's nonsense costs others their price or the address its weight."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from sources.asking import LIMIT, TICKERS, learned, refusal
from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Polled, SourceUnavailable
from tenantry.sources.providers.binance_exchange import DOUBTS_A_MINUTE, LISTING_SECONDS, UNITS_MAX
from tenantry.testing.standins import StandIn, start_binance
from tenantry.testing.standins.binance_table import PAIRS

LISTED = [symbol for symbol in PAIRS if symbol != "OLDUSDT"]


async def outcomes(feed: Polled, *symbols: str) -> list[str]:
    done = await asyncio.gather(*(feed.quote(symbol) for symbol in symbols), return_exceptions=True)
    return [one.reason if isinstance(one, SourceUnavailable) else type(one).__name__ for one in done]


@pytest.fixture
async def knowing(feed: Polled, exchange: StandIn) -> Polled:
    """A feed that knows the exchange's pairs."""
    await feed.quote("BTCUSDT")
    await learned(feed, exchange)
    exchange.asked.clear()
    return feed


async def test_callers_of_many_symbols_make_one_request_for_twenty(feed: Polled, exchange: StandIn) -> None:
    assert set(await outcomes(feed, *LISTED[:20])) == {"Reading"}
    assert exchange.asked[TICKERS] == 1
    await learned(feed, exchange)
    assert feed.host.budget is not None
    assert feed.host.budget.used == 2 + 4 + 20


async def test_more_than_twenty_are_two_requests(knowing: Polled, exchange: StandIn, clock: FrozenClock) -> None:
    clock.move(seconds=3)
    readings = await asyncio.gather(*(knowing.quote(symbol) for symbol in LISTED))
    assert [reading.quote.symbol for reading in readings] == LISTED
    assert exchange.asked[TICKERS] == 2


async def test_one_persons_nonsense_costs_the_others_nothing_on_the_first_day(feed: Polled, exchange: StandIn) -> None:
    asked = ["BTCUSDT", "NOSUCH", "ETHUSDT", "OLDUSDT", "XRPUSDT", "NEITHER", "ADAUSDT"]
    assert await outcomes(feed, *asked) == [
        *("Reading", "SymbolUnknown", "Reading", "NoPrice", "Reading", "SymbolUnknown", "Reading"),
    ]
    assert exchange.asked[TICKERS] <= 2 * len(asked) - 1


async def test_what_is_not_listed_is_refused_without_asking(knowing: Polled, exchange: StandIn) -> None:
    invented = [f"COIN{number}USDT" for number in range(500)]
    assert set(await outcomes(knowing, *invented)) == {"SymbolUnknown"}
    assert sum(exchange.asked.values()) == 0
    assert set(await outcomes(knowing, *LISTED[:5])) == {"Reading"}


async def test_the_list_is_believed_for_ten_minutes(knowing: Polled, exchange: StandIn, clock: FrozenClock) -> None:
    clock.move(seconds=LISTING_SECONDS + 1)
    assert await outcomes(knowing, "NOSUCH") == ["SymbolUnknown"]
    assert exchange.asked[TICKERS] == 1  # it may be new, so the exchange is asked
    await learned(knowing, exchange, limits=0)
    assert await outcomes(knowing, "NEITHER") == ["SymbolUnknown"]
    assert exchange.asked[TICKERS] == 1


async def test_without_a_list_invented_symbols_have_a_bound_and_known_ones_go_on(
    feed: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    exchange.fault("away", count=100)
    await feed.quote("BTCUSDT")
    await learned(feed, exchange)
    for round_ in range(5):
        await outcomes(feed, *(f"COIN{round_}{number}" for number in range(20)))
    assert exchange.asked[TICKERS] == DOUBTS_A_MINUTE
    error = await refusal(feed, "ONEMORE")
    assert (error.reason, error.retry_after) == ("busy", 60)
    clock.move(seconds=3)
    assert await outcomes(feed, "ANOTHER", "BTCUSDT") == ["busy", "Reading"]
    assert feed.outcomes["stale"] == 0
    clock.move(seconds=57)
    assert await outcomes(feed, "ETHUSDT") == ["Reading"]


async def test_a_pair_that_was_taken_off_the_list_fails_once_and_alone(
    knowing: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    clock.move(seconds=3)
    exchange.fault("unlisted", kind="BTCUSDT", count=100)
    asked = LISTED[:20]
    found = dict(zip(asked, await outcomes(knowing, *asked), strict=True))
    assert [symbol for symbol, outcome in found.items() if outcome != "Reading"] == ["BTCUSDT"]
    assert exchange.asked[TICKERS] <= 11  # halves of halves, not one by one
    exchange.asked.clear()
    clock.move(seconds=61)  # longer than a refusal is remembered
    assert (await outcomes(knowing, *asked)).count("Reading") == 19
    assert exchange.asked[TICKERS] == 1


async def test_a_ticker_that_makes_no_sense_is_no_harm_to_the_others(
    knowing: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    clock.move(seconds=3)
    exchange.fault("halted")
    assert set(await outcomes(knowing, *LISTED[:3])) == {"NoPrice"}
    clock.move(seconds=3)
    for kind in ("nan", "missing", "symbol", "shape", "html", "future"):
        exchange.fault("lying", kind=kind)
        assert set(await outcomes(knowing, *LISTED[:3])) == {"invalid"}, kind
        clock.move(seconds=3)
    assert set(await outcomes(knowing, *LISTED[:3])) == {"Reading"}


async def test_the_limit_is_the_exchanges_own_once_it_is_known(
    feed: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    assert feed.host.budget is not None
    exchange.fault("away", count=2)
    await feed.quote("BTCUSDT")
    await learned(feed, exchange)
    assert feed.host.budget.units_max == UNITS_MAX
    for seconds, limits in ((59, 1), (3, 2), (3540, 2), (61, 3)):
        clock.move(seconds=seconds)
        await feed.quote("BTCUSDT")
        await learned(feed, exchange, limits=limits)
        assert exchange.asked[LIMIT] == limits
    assert feed.host.budget.units_max == 6000


async def test_the_used_weight_is_taken_from_the_header_where_it_makes_sense(
    knowing: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    assert knowing.host.budget is not None
    clock.move(seconds=60)
    for told, used in (("1000", 1000), ("-1", 1002), ("", 1004), ("soon", 1006), ("999999999", 1008), ("900", 900)):
        exchange.fault("odd_weight", kind=told or " ")
        await knowing.quote("BTCUSDT")
        assert knowing.host.budget.used == used
        clock.move(seconds=3)
    exchange.fault("no_weight")
    await knowing.quote("BTCUSDT")
    assert knowing.host.budget.used == 902


async def test_processes_of_one_address_see_each_others_weight(
    exchange: StandIn, open_feed: Callable[..., Polled]
) -> None:
    one, other = open_feed(exchange.url), open_feed(exchange.url)
    await one.quote("BTCUSDT")
    await learned(one, exchange)
    await other.quote("BTCUSDT")
    assert other.host.budget is not None
    assert other.host.budget.used >= 26 + 2


@pytest.fixture
def small() -> Iterator[StandIn]:
    with start_binance(weight_max=100) as running:
        yield running


async def test_a_small_limit_is_never_overspent_and_who_waits_too_long_is_told(
    small: StandIn, open_feed: Callable[..., Polled], clock: FrozenClock
) -> None:
    feed = open_feed(small.url, wait_seconds=0.1)
    await feed.quote("BTCUSDT")
    await learned(feed, small)
    assert feed.host.budget is not None
    assert feed.host.budget.units_max == 100
    hurrying = asyncio.create_task(hurry(clock))
    ends = set()
    while clock.now().second < 50:
        clock.move(seconds=2.1)  # the quotes are old again; the minute goes on
        ends |= set(await outcomes(feed, *LISTED))
    hurrying.cancel()
    assert feed.host.outcomes["429"] == 0
    assert ends <= {"Reading", "short"}  # fresh prices, stale ones for those who had to wait, and no other refusal
    assert feed.outcomes["stale"] > 0
    assert feed.waits["in_vain"] > 0


async def hurry(clock: FrozenClock) -> None:
    """Let twenty seconds pass in one."""
    while True:
        await asyncio.sleep(0.005)
        clock.move(seconds=0.1)
