"""The Binance feed when the exchange is down, cross or lying."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest

from sources.asking import TICKERS, refusal
from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Polled
from tenantry.testing.standins import StandIn, start_binance


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [("7", 7), ("0", 1), ("", 60), ("soon", 60), ("-5", 60), ("999999999", 259200), ("٣", 60)]
    + [(f"Mon, 01 Jan {year} 00:00:00 {zone}", 60) for year, zone in ((9**99, "GMT"), (2026, f"+{9**99}"))],
)
async def test_429_waits_as_long_as_it_is_told(
    feed: Polled, exchange: StandIn, clock: FrozenClock, retry_after: str, expected: float
) -> None:
    if not retry_after.isascii():
        retry_after = retry_after.encode().decode("latin-1")
    exchange.fault("429", retry_after=retry_after)
    error = await refusal(feed)
    assert (error.reason, error.retry_after) == ("throttled", expected)
    clock.move(seconds=expected - 0.5)
    error = await refusal(feed, "ETHUSDT")  # the limit is the address's, not the symbol's
    assert (error.reason, error.retry_after, exchange.asked[TICKERS]) == ("throttled", 0.5, 1)
    clock.move(seconds=1)
    await feed.quote("BTCUSDT")
    assert exchange.asked[TICKERS] == 2


async def test_429_may_name_a_date(feed: Polled, exchange: StandIn, clock: FrozenClock) -> None:
    until = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)
    exchange.fault("429", retry_after=until)
    assert (await refusal(feed)).retry_after == 90


async def test_418_stops_until_its_time(feed: Polled, exchange: StandIn, clock: FrozenClock) -> None:
    until_ms = int((clock.now().timestamp() + 600) * 1000)
    exchange.fault("418", count=3, until_ms=until_ms, retry_after="300")
    assert (await refusal(feed)).retry_after == 300  # the header goes before the text
    clock.move(seconds=301)
    exchange.fault("418", until_ms=until_ms)
    error = await refusal(feed)
    assert (error.reason, error.retry_after) == ("banned", 299)
    asked = exchange.asked[TICKERS]
    clock.move(seconds=298)
    assert (await refusal(feed)).reason == "banned"
    assert exchange.asked[TICKERS] == asked
    clock.move(seconds=2)
    await feed.quote("BTCUSDT")


async def test_418_without_a_usable_time_is_the_shortest_ban(feed: Polled, exchange: StandIn) -> None:
    exchange.fault("418", until_ms=1_600_000_000_000)
    assert (await refusal(feed)).retry_after == 120


async def test_418_counts_even_when_its_text_never_arrives(hasty_feed: Polled, exchange: StandIn) -> None:
    exchange.fault("418", kind="drip", seconds=0.01)
    assert (await refusal(hasty_feed)).reason == "timeout"
    error = await refusal(hasty_feed)
    assert (error.reason, error.retry_after, exchange.asked[TICKERS]) == ("banned", 120, 1)


@pytest.mark.parametrize("mode", ["451", "403"])
async def test_a_place_that_is_not_served_is_not_asked_again(
    feed: Polled, exchange: StandIn, clock: FrozenClock, mode: str
) -> None:
    await feed.quote("BTCUSDT")
    clock.move(seconds=61)
    exchange.fault(mode)
    for _ in range(3):
        error = await refusal(feed)
        assert (error.reason, error.retry_after) == ("refused", None)
        clock.move(seconds=60)
    assert exchange.asked[TICKERS] == 2


async def test_a_firewall_that_stumbles_over_an_invented_word_shuts_nothing(feed: Polled, exchange: StandIn) -> None:
    assert (await refusal(feed, "SELECT")).reason == "refused"
    assert (await feed.quote("BTCUSDT")).quote.price == 62400


@pytest.mark.parametrize(("mode", "reason"), [("500", "failing"), ("drop", "unreachable")])
async def test_failures_open_the_circuit_and_one_try_closes_it(
    feed: Polled, exchange: StandIn, clock: FrozenClock, mode: str, reason: str
) -> None:
    exchange.fault(mode, count=3)
    for _ in range(3):
        assert (await refusal(feed)).reason == reason
    error = await refusal(feed, "ETHUSDT")
    assert (error.reason, error.retry_after, exchange.asked[TICKERS]) == ("failing", 10, 3)
    clock.move(seconds=10)
    await feed.quote("BTCUSDT")
    await feed.quote("ETHUSDT")
    assert exchange.asked[TICKERS] == 5


@pytest.mark.parametrize(("mode", "seconds"), [("hang", 0), ("slow", 1), ("drip", 0.01)])
async def test_silence_slowness_and_dripping_open_the_circuit(
    hasty_feed: Polled, exchange: StandIn, mode: str, seconds: float
) -> None:
    exchange.fault(mode, count=3, seconds=seconds)
    for _ in range(3):
        assert (await refusal(hasty_feed)).reason == "timeout"
    assert (await refusal(hasty_feed)).reason == "failing"


async def test_a_failed_try_opens_the_circuit_again(feed: Polled, exchange: StandIn, clock: FrozenClock) -> None:
    exchange.fault("500", count=4)
    for _ in range(3):
        await refusal(feed)
    clock.move(seconds=10)
    await refusal(feed)
    assert (await refusal(feed)).retry_after == 10
    assert exchange.asked[TICKERS] == 4


async def test_only_one_request_tries_the_half_open_circuit(
    feed: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    exchange.fault("500", count=3)
    for _ in range(3):
        await refusal(feed)
    clock.move(seconds=10)
    exchange.fault("slow", seconds=0.2)
    trial = asyncio.create_task(feed.quote("BTCUSDT"))
    await asyncio.sleep(0.01)
    error = await refusal(feed, "ETHUSDT")
    assert (error.reason, error.retry_after) == ("failing", 1)
    await trial
    await feed.quote("ETHUSDT")
    assert exchange.asked[TICKERS] == 5


async def test_good_answers_between_failures_keep_the_circuit_closed(
    feed: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    for _ in range(4):
        exchange.fault("500", count=2)
        await refusal(feed, "ETHUSDT")
        await refusal(feed, "ETHUSDT")
        assert not (await feed.quote("BTCUSDT")).is_stale
        clock.move(seconds=3)


async def test_no_connection_is_unreachable(open_feed: Callable[..., Polled]) -> None:
    with start_binance() as gone:
        feed = open_feed(gone.url)
    assert (await refusal(feed)).reason == "unreachable"


LIES = (
    *("html", "shape", "number", "nan", "infinity", "exponent", "negative", "symbol", "missing"),
    *("future", "huge", "deep", "gzip"),
)


@pytest.mark.parametrize("kind", LIES)
async def test_a_lie_is_refused_for_a_moment_and_does_not_open_the_circuit(
    feed: Polled, exchange: StandIn, clock: FrozenClock, kind: str
) -> None:
    exchange.fault("lying", count=5, kind=kind)
    for asked in range(1, 6):
        assert (await refusal(feed)).reason == "invalid"
        assert (await refusal(feed)).reason == "invalid"
        assert exchange.asked[TICKERS] == asked
        clock.move(seconds=2.1)
    assert (await feed.quote("BTCUSDT")).quote.price == 62400


@pytest.mark.parametrize("mode", ["redirect", "400"])
async def test_an_answer_that_is_no_quote_is_invalid(feed: Polled, exchange: StandIn, mode: str) -> None:
    exchange.fault(mode)
    assert (await refusal(feed)).reason == "invalid"
    assert exchange.asked[TICKERS] == 1


@pytest.mark.parametrize(("mode", "details"), [("500", {}), ("429", {}), ("451", {}), ("lying", {"kind": "html"})])
async def test_a_stale_quote_stands_in_for_a_minute(
    feed: Polled, exchange: StandIn, clock: FrozenClock, mode: str, details: dict[str, str | float]
) -> None:
    known = (await feed.quote("BTCUSDT")).quote
    exchange.fault(mode, count=100, **details)
    clock.move(seconds=30)
    reading = await feed.quote("BTCUSDT")
    assert (reading.quote, reading.age_seconds, reading.is_stale) == (known, 30, True)
    clock.move(seconds=31)
    await refusal(feed)
