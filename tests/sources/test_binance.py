"""The Binance feed when all is well: quotes, symbols, sharing, closing."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sources.asking import TICKERS, refusal
from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Binance, NoPrice, Polled, SymbolUnknown
from tenantry.testing.standins import StandIn


async def test_a_quote_has_the_price_and_the_figures_of_a_day(feed: Polled) -> None:
    reading = await feed.quote("BTCUSDT")
    quote = reading.quote
    assert (reading.is_stale, reading.age_seconds) == (False, 0)
    assert (quote.symbol, quote.price) == ("BTCUSDT", Decimal(62400))
    assert (quote.change_24h, quote.change_percent_24h) == (Decimal(1200), Decimal("1.961"))
    assert (quote.volume_24h, quote.quote_volume_24h) == (Decimal(48000), Decimal(2966400000))
    assert quote.as_of == datetime(2024, 3, 2, tzinfo=UTC)


async def test_lower_case_is_the_same_symbol(feed: Polled, exchange: StandIn) -> None:
    assert (await feed.quote("btcusdt")).quote == (await feed.quote("BtcUsdt")).quote
    assert exchange.asked[TICKERS] == 1


@pytest.mark.parametrize(
    "symbol", ["", "B", "A" * 21, "BTC-USDT", "BTC/USDT", "\uff22\uff34\uff23", "ßßß", "BTC\n", "../time"]
)
async def test_what_cannot_be_a_symbol_is_not_asked_for(feed: Polled, exchange: StandIn, symbol: str) -> None:
    with pytest.raises(SymbolUnknown):
        await feed.quote(symbol)
    assert exchange.asked[TICKERS] == 0


async def test_an_unknown_symbol_is_remembered_for_a_minute_where_there_is_no_list(
    feed: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    exchange.fault("away", count=100)
    for seconds, asked in ((0, 1), (59, 1), (2, 2)):
        clock.move(seconds=seconds)
        with pytest.raises(SymbolUnknown, match="NOSUCH"):
            await feed.quote("NOSUCH")
        assert exchange.asked[TICKERS] == asked


async def test_a_halted_pair_has_no_price_and_no_old_one_either(
    feed: Polled, exchange: StandIn, clock: FrozenClock
) -> None:
    with pytest.raises(NoPrice):
        await feed.quote("OLDUSDT")
    await feed.quote("ETHUSDT")
    clock.move(seconds=3)
    exchange.fault("halted")
    with pytest.raises(NoPrice):
        await feed.quote("ETHUSDT")
    clock.move(seconds=3)
    exchange.fault("500")
    assert (await refusal(feed, "ETHUSDT")).reason == "failing"


async def test_a_quote_is_shared_for_two_seconds(feed: Polled, exchange: StandIn, clock: FrozenClock) -> None:
    await feed.quote("BTCUSDT")
    clock.move(seconds=1.5)
    reading = await feed.quote("BTCUSDT")
    assert (reading.age_seconds, reading.is_stale, exchange.asked[TICKERS]) == (1.5, False, 1)
    clock.move(seconds=0.6)
    assert ((await feed.quote("BTCUSDT")).age_seconds, exchange.asked[TICKERS]) == (0, 2)


async def test_fifty_callers_make_one_request(feed: Polled, exchange: StandIn) -> None:
    readings = await asyncio.gather(*(feed.quote("BTCUSDT") for _ in range(50)))
    assert len({reading.quote.price for reading in readings}) == 1
    assert exchange.asked[TICKERS] == 1


async def test_fifty_callers_share_one_refusal_each_with_its_own_error(feed: Polled, exchange: StandIn) -> None:
    exchange.fault("500")
    errors = await asyncio.gather(*(feed.quote("BTCUSDT") for _ in range(50)), return_exceptions=True)
    assert {str(error) for error in errors} == {"failing: status 500"}
    assert len({id(error) for error in errors}) == 50
    assert exchange.asked[TICKERS] == 1


async def test_a_caller_who_leaves_does_not_take_the_others_along(feed: Polled, exchange: StandIn) -> None:
    exchange.fault("slow", seconds=0.2)
    first, second = asyncio.create_task(feed.quote("BTCUSDT")), asyncio.create_task(feed.quote("BTCUSDT"))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second).quote.symbol == "BTCUSDT"
    assert first.cancelled()
    assert exchange.asked[TICKERS] == 1


async def test_the_answer_is_kept_when_every_caller_has_left(feed: Polled, exchange: StandIn) -> None:
    exchange.fault("slow", seconds=0.2)
    caller = asyncio.create_task(feed.quote("BTCUSDT"))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.wait([caller])
    await feed.quote("BTCUSDT")
    assert exchange.asked[TICKERS] == 1


async def test_closing_answers_those_who_wait_and_those_who_come(feed: Polled, exchange: StandIn) -> None:
    exchange.fault("hang")
    caller = asyncio.create_task(refusal(feed))
    await asyncio.sleep(0.02)
    await feed.aclose()
    assert (await caller).reason == "closed"
    assert (await refusal(feed)).reason == "closed"


async def test_a_slash_at_the_end_of_the_address_does_no_harm(
    exchange: StandIn, open_feed: Callable[..., Polled]
) -> None:
    assert (await open_feed(f"{exchange.url}/").quote("BTCUSDT")).quote.price == 62400


@pytest.mark.parametrize("base_url", ["", "data-api.binance.vision", "ftp://a", "http://u:p@a", "https://a?b=c"])
def test_an_address_that_is_no_plain_http_is_refused(base_url: str, clock: FrozenClock) -> None:
    with pytest.raises(ValueError, match="address"):
        Binance().open(clock, base_url=base_url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache_seconds": 1.9},
        {"stale_seconds": 1},
        {"timeout_seconds": 0},
        {"open_seconds": 0},
        {"failures_max": 0},
        {"wait_seconds": 0},
    ],
)
def test_figures_that_break_the_exchanges_rules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Binance"):
        Binance(**wrong)  # type: ignore[arg-type]


def test_the_descriptor_is_pure_data_and_its_door_is_light() -> None:
    assert {Binance(), Binance()} == {Binance()}
    light = "import sys, tenantry.sources; sys.exit(any(name in sys.modules for name in ('fastapi', 'sqlalchemy')))"
    assert subprocess.run([sys.executable, "-W", "error", "-c", light], check=False).returncode == 0
