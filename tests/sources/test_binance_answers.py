"""Reading several tickers at once, the list of pairs, the limit: recorded answers, and whatever else could arrive."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.sources import NoPrice, Quote, SourceError, SourceUnavailable
from tenantry.sources.providers.binance_answers import read_limit, read_listing
from tenantry.sources.providers.binance_exchange import banned_until, used_units
from tenantry.sources.providers.binance_ticker import read_tickers
from tenantry.sources.providers.host import Answer
from tenantry.testing.standins.binance_table import PAIRS, ticker

# Recorded answers are not ours to ship; where they lie beside the repository, they are read.
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "binance"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TWO = [dict(ticker(PAIRS[symbol])) for symbol in ("BTCUSDT", "ETHUSDT")]


def recorded(name: str) -> Any:
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded answers beside the repository ({RECORDED.name} folder is absent)")
    return json.loads((RECORDED / name).read_text())


def read(value: object, *symbols: str) -> dict[str, Quote | SourceError]:
    return read_tickers(json.dumps(value).encode(), symbols or ("BTCUSDT", "ETHUSDT"), now=NOW)


@pytest.mark.parametrize("name", ["ticker_24hr_full_array_2021-11-29.json", "docs_ticker_24hr_mini_array.json"])
def test_recorded_lists_give_each_symbol_its_own(name: str) -> None:
    tickers = recorded(name)
    symbols = [one["symbol"] for one in tickers]
    found = read(tickers, *symbols)
    assert list(found) == symbols
    assert all(isinstance(one, Quote | NoPrice) for one in found.values())


def test_a_recorded_halted_pair_among_others_has_no_price() -> None:
    halted = recorded("ticker_24hr_full_halted_aavedownusdt_2023-04-17.json")
    found = read([*TWO, halted], "BTCUSDT", "AAVEDOWNUSDT")
    assert (type(found["BTCUSDT"]), type(found["AAVEDOWNUSDT"])) == (Quote, NoPrice)


def test_a_recorded_ban_tells_its_end() -> None:
    body = json.dumps(recorded("error_418_banned.json")).encode()
    assert banned_until(body) == 1785050129.644
    assert banned_until(json.dumps(recorded("error_429_weight.json")).encode()) is None


def test_what_was_not_asked_for_is_ignored_and_what_is_missing_is_left_out() -> None:
    assert list(read([*TWO, dict(ticker(PAIRS["XRPUSDT"]))], "ETHUSDT", "ADAUSDT")) == ["ETHUSDT"]


@pytest.mark.parametrize("change", [{"lastPrice": "NaN"}, {"closeTime": -1}, {"count": None}, {"volume": 1.5}])
def test_one_that_makes_no_sense_does_not_spoil_the_others(change: dict[str, object]) -> None:
    found = read([TWO[0] | change, TWO[1]])
    assert isinstance(found["BTCUSDT"], SourceUnavailable)
    assert isinstance(found["ETHUSDT"], Quote)


def test_a_ticker_more_than_a_day_ahead_is_invalid() -> None:
    for hours, kind in ((23, Quote), (25, SourceUnavailable)):
        ahead = int((NOW + timedelta(hours=hours)).timestamp() * 1000)
        assert type(read([TWO[0] | {"closeTime": ahead}, TWO[1]])["BTCUSDT"]) is kind
        assert type(read(TWO[0] | {"closeTime": ahead}, "BTCUSDT")["BTCUSDT"]) is kind


@pytest.mark.parametrize("value", [{}, TWO[0], "x", None, 1, [1], ["x"], [[TWO]]])
def test_what_is_no_list_of_tickers_is_invalid(value: object) -> None:
    with pytest.raises(SourceUnavailable, match="invalid"):
        read(value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.binary(max_size=400) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_no_answer_raises_anything_else(body: bytes) -> None:
    for reading in (
        lambda: read_tickers(body, ["BTCUSDT", "ETHUSDT"], now=NOW),
        lambda: read_listing(Answer(200, body)),
        lambda: read_limit(Answer(200, body)),
    ):
        with contextlib.suppress(SourceUnavailable):
            reading()
    banned_until(body)


def limits(*entries: object) -> Answer:
    return Answer(200, json.dumps({"rateLimits": entries, "symbols": []}).encode())


def limit(count: int, interval: str = "MINUTE", number: int = 1, kind: str = "REQUEST_WEIGHT") -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": count}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (limits(limit(6000)), 6000),
        (limits(limit(61_000, number=5, kind="RAW_REQUESTS"), limit(1200)), 1200),
        (limits(limit(6000), limit(50_000, "HOUR")), 833),
        (limits(limit(30_000, number=5)), 6000),
        (limits(limit(0)), None),
        (limits(limit(100, kind="ORDERS")), None),
        (limits(), None),
    ],
)
def test_the_limit_is_the_smallest_weight_a_minute(answer: Answer, told: int | None) -> None:
    assert read_limit(answer) == told


@pytest.mark.parametrize("count", [1, 2, 25])
def test_a_limit_with_which_nothing_could_be_asked_any_more_is_not_believed(count: int) -> None:
    assert read_limit(limits(limit(count))) is None
    assert read_limit(limits(limit(count), limit(1200))) == 1200


@pytest.mark.parametrize("entry", [limit(-1), limit(10**7), limit(1, "EON"), limit(1, number=0), {}, None])
def test_a_limit_that_makes_no_sense_is_invalid(entry: object) -> None:
    with pytest.raises(SourceUnavailable, match="invalid"):
        read_limit(limits(entry))


@pytest.mark.parametrize("answer", [Answer(200, b"[]"), Answer(400, b'[{"symbol":"BTCUSDT"}]'), Answer(200, b"{}")])
def test_an_empty_list_of_pairs_is_no_list(answer: Answer) -> None:
    with pytest.raises(SourceUnavailable, match="invalid"):
        read_listing(answer)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-mbx-used-weight-1m": "12", "x-mbx-used-weight": "99"}, 12),
        ({"x-mbx-used-weight": "99"}, 99),
        ({}, None),
        ({"x-mbx-used-weight-1m": "-1"}, None),
        ({"x-mbx-used-weight-1m": "1e3"}, None),
        ({"x-mbx-used-weight-1m": "9" * 40}, None),
    ],
)
def test_the_used_weight_is_a_whole_number_or_nothing(headers: dict[str, str], told: int | None) -> None:
    assert used_units(headers) == told
