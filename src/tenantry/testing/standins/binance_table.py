"""The stand-in exchange's pairs and their figures, in the exchange's own shapes.

The figures are made up: rounded by hand, of the order seen on DAY, consistent with one another, no record of any
market. Every answer states that day in its times, so a page that shows "as of" shows it too.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

DAY = datetime(2024, 3, 1, tzinfo=UTC)


class Pair(NamedTuple):
    """One pair's day: amounts as decimal text, `volume` in units of `base`."""

    base: str
    quote: str
    opened: str
    last: str
    high: str
    low: str
    volume: str
    trades: int


_PAIRS = (
    Pair("BTC", "USDT", "61200.00", "62400.00", "63100.00", "60800.00", "48000", 1_900_000),
    Pair("ETH", "USDT", "3340.00", "3435.00", "3450.00", "3320.00", "310000", 1_100_000),
    Pair("BNB", "USDT", "400.00", "408.00", "412.00", "397.00", "650000", 420_000),
    Pair("SOL", "USDT", "126.00", "130.50", "133.00", "123.00", "4900000", 900_000),
    Pair("XRP", "USDT", "0.5900", "0.6000", "0.6050", "0.5820", "420000000", 400_000),
    Pair("ADA", "USDT", "0.6600", "0.7200", "0.7300", "0.6500", "390000000", 380_000),
    Pair("DOGE", "USDT", "0.11900", "0.13300", "0.14200", "0.11500", "6100000000", 950_000),
    Pair("SHIB", "USDT", "0.00001280", "0.00001270", "0.00001350", "0.00001200", "9000000000000", 700_000),
    Pair("LTC", "USDT", "80.00", "84.00", "85.50", "79.20", "950000", 330_000),
    Pair("LINK", "USDT", "18.900", "19.600", "19.900", "18.500", "5200000", 290_000),
    Pair("DOT", "USDT", "8.400", "8.800", "8.950", "8.250", "9100000", 260_000),
    Pair("AVAX", "USDT", "41.00", "43.00", "43.80", "40.10", "4400000", 340_000),
    Pair("TRX", "USDT", "0.1400", "0.1420", "0.1430", "0.1390", "310000000", 150_000),
    Pair("BCH", "USDT", "300.0", "312.0", "318.0", "295.0", "420000", 280_000),
    Pair("UNI", "USDT", "11.200", "12.300", "12.600", "10.900", "14000000", 310_000),
    Pair("ATOM", "USDT", "11.100", "11.600", "11.800", "10.900", "3900000", 170_000),
    Pair("ETC", "USDT", "28.00", "29.20", "29.80", "27.50", "2700000", 190_000),
    Pair("FIL", "USDT", "7.900", "8.600", "8.800", "7.700", "14500000", 270_000),
    Pair("NEAR", "USDT", "3.900", "4.150", "4.250", "3.800", "22000000", 240_000),
    Pair("APT", "USDT", "11.800", "12.700", "13.000", "11.600", "9300000", 260_000),
    Pair("ARB", "USDT", "1.9000", "2.0200", "2.0600", "1.8700", "64000000", 250_000),
    Pair("OP", "USDT", "3.700", "3.850", "3.950", "3.620", "27000000", 230_000),
    Pair("INJ", "USDT", "37.00", "40.50", "41.30", "36.20", "3600000", 260_000),
    Pair("SUI", "USDT", "1.6200", "1.6900", "1.7300", "1.5900", "88000000", 290_000),
    Pair("ETH", "BTC", "0.05460", "0.05500", "0.05520", "0.05430", "21000", 120_000),
    # Kept by the exchange although nobody can trade it: it answers 200 with zeros.
    Pair("OLD", "USDT", "0", "0", "0", "0", "0", 0),
)
PAIRS = {pair.base + pair.quote: pair for pair in _PAIRS}


def ticker(pair: Pair, *, is_mini: bool = False, is_halted: bool = False) -> dict[str, str | int]:
    """A 24-hour ticker, FULL or MINI. A halted pair has zeros, no trades and -1 for their ids."""
    if is_halted:
        pair = Pair(pair.base, pair.quote, "0", "0", "0", "0", "0", 0)
    last, opened, volume = Decimal(pair.last), Decimal(pair.opened), Decimal(pair.volume)
    average = (last + opened) / 2
    figures: dict[str, str | int] = {"symbol": pair.base + pair.quote}
    if not is_mini:
        percent = (last - opened) / opened * 100 if opened else Decimal(0)
        figures |= {
            "priceChange": _text(last - opened),
            "priceChangePercent": f"{percent:.3f}",
            "weightedAvgPrice": _text(average),
            "prevClosePrice": _text(opened),
            "lastQty": _text(Decimal(bool(pair.trades))),
            "bidPrice": _text(last),
            "bidQty": _text(Decimal(bool(pair.trades))),
            "askPrice": _text(last),
            "askQty": _text(Decimal(bool(pair.trades))),
        }
    return figures | {
        "openPrice": _text(opened),
        "highPrice": _text(Decimal(pair.high)),
        "lowPrice": _text(Decimal(pair.low)),
        "lastPrice": _text(last),
        "volume": _text(volume),
        "quoteVolume": _text(volume * average),
        "openTime": int(DAY.timestamp() * 1000),
        "closeTime": int((DAY + timedelta(days=1)).timestamp() * 1000),
        "firstId": 1 if pair.trades else -1,
        "lastId": pair.trades or -1,
        "count": pair.trades,
    }


def listing(pair: Pair) -> dict[str, str | bool]:
    """The pair's entry in exchangeInfo, as far as we speak it."""
    return {
        "symbol": pair.base + pair.quote,
        "status": "TRADING" if pair.trades else "BREAK",
        "baseAsset": pair.base,
        "quoteAsset": pair.quote,
        "isSpotTradingAllowed": True,
    }


def _text(amount: Decimal) -> str:
    return f"{amount:.8f}"
