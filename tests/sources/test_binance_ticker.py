"""Reading the exchange's answers: recorded ones, and whatever else could arrive."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.sources import NoPrice, SourceUnavailable
from tenantry.sources.providers.binance_answers import ErrorBody, read_error
from tenantry.sources.providers.binance_ticker import read_ticker
from tenantry.testing.standins.binance_table import PAIRS, ticker

# Recorded answers are not ours to ship; where they lie beside the repository, they are read.
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "binance"


def recorded(kind: str) -> list[tuple[str, Any]]:
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded answers beside the repository ({RECORDED.name} folder is absent)")
    return [(path.name, json.loads(path.read_text())) for path in sorted(RECORDED.glob(f"*{kind}*.json"))]


def test_recorded_tickers_give_the_figures_they_state() -> None:
    answers = recorded("ticker")
    tickers = [one for _, answer in answers for one in (answer if isinstance(answer, list) else [answer])]
    assert len(tickers) >= 7
    for one in tickers:
        body, symbol = json.dumps(one).encode(), one["symbol"]
        if one["count"] == 0:
            with pytest.raises(NoPrice):
                read_ticker(body, symbol)
            continue
        quote = read_ticker(body, symbol)
        assert quote.price == Decimal(one["lastPrice"])
        assert (quote.volume_24h, quote.quote_volume_24h) == (Decimal(one["volume"]), Decimal(one["quoteVolume"]))
        assert quote.as_of == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=one["closeTime"])
        if "priceChange" in one:  # MINI leaves it to us
            assert quote.change_24h == Decimal(one["priceChange"])
            assert quote.change_percent_24h == Decimal(one["priceChangePercent"])


def test_recorded_errors_are_understood() -> None:
    answers = recorded("error")
    assert {read_error(json.dumps(answer).encode()).code for _, answer in answers} == {-1121, -1003, 0}


@pytest.mark.parametrize("symbol", sorted(set(PAIRS) - {"OLDUSDT"}))
@pytest.mark.parametrize("is_mini", [False, True])
def test_full_and_mini_tickers_give_the_same_quote(symbol: str, is_mini: bool) -> None:
    full = ticker(PAIRS[symbol])
    quote = read_ticker(json.dumps(ticker(PAIRS[symbol], is_mini=is_mini)).encode(), symbol)
    assert quote.change_24h == Decimal(str(full["priceChange"]))
    assert quote.change_percent_24h == Decimal(str(full["priceChangePercent"]))


GOOD: dict[str, Any] = dict(ticker(PAIRS["BTCUSDT"]))


@pytest.mark.parametrize("field", ["lastPrice", "openPrice", "volume", "quoteVolume"])
@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1e5", "0x1", "1_000", "١٢", " 1", "1 ", "", ".", "1.", ".5"),
        *("-1.0", "+1.0", "1,5", "1\n", "9" * 21, "0." + "0" * 19, 1.5, 1, None, True, ["1"], {"a": "1"}),
    ],
)
def test_a_figure_that_is_no_plain_decimal_text_is_refused(field: str, value: object) -> None:
    with pytest.raises(SourceUnavailable, match="invalid"):
        read_ticker(json.dumps(GOOD | {field: value}).encode(), "BTCUSDT")


@pytest.mark.parametrize(
    "change",
    [
        *({"closeTime": -1}, {"closeTime": 10**15}, {"closeTime": "1"}, {"closeTime": 10**40}, {"count": -1}),
        *({"openPrice": "0.0"}, {"symbol": "ETHUSDT"}, {"symbol": "btcusdt"}, {"symbol": None}, {"count": 1.5}),
    ],
)
def test_other_fields_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(SourceUnavailable, match="invalid"):
        read_ticker(json.dumps(GOOD | change).encode(), "BTCUSDT")


@pytest.mark.parametrize("change", [{"lastPrice": "0.00000000"}, {"count": 0}, {"firstId": -1}])
def test_a_pair_without_trades_has_no_price(change: dict[str, object]) -> None:
    with pytest.raises(NoPrice):
        read_ticker(json.dumps(GOOD | change).encode(), "BTCUSDT")


def test_a_change_that_rounds_to_nothing_has_no_sign() -> None:
    quote = read_ticker(json.dumps(GOOD | {"openPrice": "62400.01"}).encode(), "BTCUSDT")
    assert (str(quote.change_percent_24h), quote.change_24h) == ("0.000", Decimal("-0.01"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
AMOUNTS = st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{1,20})?", fullmatch=True) | st.sampled_from(["NaN", "1e9", "0", ""])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("lastPrice", "openPrice", "volume", "quoteVolume", "padding"), AMOUNTS | ANYTHING),
        **dict.fromkeys(("closeTime", "firstId", "count"), st.integers() | ANYTHING),
        "symbol": st.just("BTCUSDT") | ANYTHING,
    },
)


def read_or_refuse(body: bytes) -> None:
    try:
        quote = read_ticker(body, "BTCUSDT")
    except (SourceUnavailable, NoPrice):
        return
    assert quote.price > 0
    assert quote.volume_24h >= 0
    figures = (quote.price, quote.change_24h, quote.change_percent_24h, quote.volume_24h, quote.quote_volume_24h)
    assert all(figure.is_finite() for figure in figures)
    assert quote.as_of.utcoffset() == timedelta()


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    read_or_refuse(body)
    assert isinstance(read_error(body), ErrorBody)


@settings(deadline=None)
@given(ANYTHING)
def test_no_json_raises_anything_else(value: object) -> None:
    read_or_refuse(json.dumps(value).encode())
    assert isinstance(read_error(json.dumps(value).encode()), ErrorBody)


@settings(deadline=None)
@given(FIELDS)
def test_no_ticker_raises_anything_else(changes: dict[str, object]) -> None:
    read_or_refuse(json.dumps(GOOD | changes).encode("utf-8", "surrogatepass"))
    read_or_refuse(json.dumps(GOOD | changes, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    read_or_refuse(json.dumps(changes).encode())
