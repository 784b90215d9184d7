"""Reading 24-hour tickers as Binance answers them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated

import msgspec

from .base import NoPrice, Quote, SourceError, SourceUnavailable
from .shelf import Outcome

# Plain decimals only: Decimal() itself would also take "NaN", "Infinity", "1e999", "1_0" and digits of other scripts.
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?")
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_PERCENT = Decimal("0.001")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD_MAX = timedelta(days=1)  # more than two clocks can be apart
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, where datetime ends

_Text = Annotated[str, msgspec.Meta(max_length=64)]


class _Ticker(msgspec.Struct, frozen=True, rename="camel"):
    """The fields that FULL, MINI and rolling tickers share; all figures are strings."""

    symbol: _Text
    open_price: _Text
    last_price: _Text
    volume: _Text
    quote_volume: _Text
    close_time: Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]
    first_id: int
    count: int


class _Named(msgspec.Struct, frozen=True):
    symbol: _Text = ""


def read_tickers(body: bytes, symbols: Sequence[str], *, now: datetime) -> dict[str, Outcome]:
    """What an answer says of each symbol: one ticker where one was asked for, else a list of them in any order.

    A ticker that makes no sense, or that is more than a day ahead of us, is that symbol's SourceUnavailable("invalid").
    Symbols that are not in the list are left out; what was not asked for is ignored. Raises
    SourceUnavailable("invalid") when there is no list.
    """
    if len(symbols) == 1:
        return {symbols[0]: _outcome(body, symbols[0], now)}
    try:
        parts = [(msgspec.json.decode(part, type=_Named).symbol, part) for part in _decode_list(body)]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SourceUnavailable("invalid", detail=f"not a list of tickers: {error}") from None
    return {symbol: _outcome(part, symbol, now) for symbol, part in parts if symbol in symbols}


def read_ticker(body: bytes | msgspec.Raw, symbol: str) -> Quote:
    """The quote in a ticker answer for `symbol`.

    Raises SourceUnavailable("invalid") for anything that is not such an answer, NoPrice for a pair that is halted or
    had no trade in the window. The change is taken from last and open price, which all three ticker forms carry;
    recorded answers state the same figures.
    """
    try:
        ticker = msgspec.json.decode(body, type=_Ticker)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SourceUnavailable("invalid", detail=f"not a ticker: {error}") from None
    if ticker.symbol != symbol:
        raise SourceUnavailable("invalid", detail=f"asked for {symbol}, answered for {ticker.symbol!r}")
    price, opened = _amount(ticker.last_price), _amount(ticker.open_price)
    volume, quote_volume = _amount(ticker.volume), _amount(ticker.quote_volume)
    if not price or ticker.count == 0 or ticker.first_id == -1:
        raise NoPrice(symbol)
    if not opened or ticker.count < 0:
        raise SourceUnavailable("invalid", detail="a last price without an open price, or a negative count")
    change = _EXACT.subtract(price, opened)
    percent = _EXACT.divide(_EXACT.multiply(change, Decimal(100)), opened)
    return Quote(
        symbol=symbol,
        price=price,
        change_24h=change,
        change_percent_24h=_EXACT.plus(percent.quantize(_PERCENT, context=_EXACT)),  # no "-0.000"
        volume_24h=volume,
        quote_volume_24h=quote_volume,
        as_of=_EPOCH + timedelta(milliseconds=ticker.close_time),
    )


def _decode_list(body: bytes) -> list[msgspec.Raw]:
    return msgspec.json.decode(body, type=list[msgspec.Raw])


def _outcome(body: bytes | msgspec.Raw, symbol: str, now: datetime) -> Outcome:
    try:
        quote = read_ticker(body, symbol)
        if quote.as_of > now + _AHEAD_MAX:
            raise SourceUnavailable("invalid", detail=f"a ticker of {quote.as_of}")
    except SourceError as error:
        return error
    return quote


def _amount(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or text.startswith("-"):
        raise SourceUnavailable("invalid", detail=f"not an amount: {text!r}")
    return Decimal(text)
