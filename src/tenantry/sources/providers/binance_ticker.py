"""Reading what Binance answers: one 24-hour ticker, one error body."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated

import msgspec

from .base import AnswerInvalid, NoPrice, Quote, SymbolUnknown

_SYMBOL = re.compile(r"[A-Za-z0-9]{2,20}")
# Plain decimals only: Decimal() itself would also take "NaN", "Infinity", "1e999", "1_0" and digits of other scripts.
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?")
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_PERCENT = Decimal("0.001")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, where datetime ends

_Text = Annotated[str, msgspec.Meta(max_length=64)]


class ErrorBody(msgspec.Struct, frozen=True):
    """`{"code": -1121, "msg": "..."}`; code 0 when the body was anything else."""

    code: int = 0
    msg: str = ""


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


def fold_symbol(symbol: str) -> str:
    """The symbol in upper case. Raises SymbolUnknown for what cannot be one: 2 to 20 ASCII letters and digits."""
    if not _SYMBOL.fullmatch(symbol):
        raise SymbolUnknown(symbol)
    return symbol.upper()


def read_ticker(body: bytes, symbol: str) -> Quote:
    """The quote in a ticker answer for `symbol`.

    Raises AnswerInvalid for anything that is not such an answer, NoPrice for a pair that is halted or had no trade in
    the window. The change is taken from last and open price, which all three ticker forms carry; recorded answers
    state the same figures.
    """
    try:
        ticker = msgspec.json.decode(body, type=_Ticker)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise AnswerInvalid("invalid", detail=f"not a ticker: {error}") from None
    if ticker.symbol != symbol:
        raise AnswerInvalid("invalid", detail=f"asked for {symbol}, answered for {ticker.symbol!r}")
    price, opened = _amount(ticker.last_price), _amount(ticker.open_price)
    volume, quote_volume = _amount(ticker.volume), _amount(ticker.quote_volume)
    if not price or ticker.count == 0 or ticker.first_id == -1:
        raise NoPrice(symbol)
    if not opened or ticker.count < 0:
        raise AnswerInvalid("invalid", detail="a last price without an open price, or a negative count")
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


def read_error(body: bytes) -> ErrorBody:
    """The exchange's own code and text; an empty ErrorBody when the body is something else. Never raises."""
    try:
        return msgspec.json.decode(body, type=ErrorBody)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ErrorBody()


def _amount(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or text.startswith("-"):
        raise AnswerInvalid("invalid", detail=f"not an amount: {text!r}")
    return Decimal(text)
