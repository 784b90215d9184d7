"""Reading what Binance answers beside tickers: errors, the pairs it lists, its limit."""

from typing import Annotated, Literal

import msgspec

from .base import SourceUnavailable
from .host import Answer

_Text = Annotated[str, msgspec.Meta(max_length=64)]
_MINUTES = {"SECOND": 1 / 60, "MINUTE": 1, "HOUR": 60, "DAY": 1440}
_LIMIT_MIN, _LIMIT_MAX = 26, 10**6
"""The least is what a request of each kind costs. With less nothing would ever be asked again, nor the limit itself."""


class ErrorBody(msgspec.Struct, frozen=True):
    """`{"code": -1121, "msg": "..."}`; code 0 when the body was anything else."""

    code: int = 0
    msg: str = ""


class _Listed(msgspec.Struct, frozen=True):
    symbol: _Text


class _Limit(msgspec.Struct, frozen=True, rename="camel"):
    rate_limit_type: str
    interval: Literal["SECOND", "MINUTE", "HOUR", "DAY"]
    interval_num: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    limit: Annotated[int, msgspec.Meta(ge=0, le=_LIMIT_MAX)]


class _Limits(msgspec.Struct, frozen=True, rename="camel"):
    rate_limits: list[_Limit]


def read_error(body: bytes) -> ErrorBody:
    """The exchange's own code and text; an empty ErrorBody when the body is something else. Never raises."""
    try:
        return msgspec.json.decode(body, type=ErrorBody)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ErrorBody()


def read_listing(answer: Answer) -> set[str]:
    """Every symbol of a price list. Raises SourceUnavailable("invalid") for another answer, and for an empty list."""
    symbols = {one.symbol for one in answer.read(list[_Listed])}
    if not symbols:
        raise SourceUnavailable("invalid", detail="no pairs are listed")
    return symbols


def read_limit(answer: Answer) -> int | None:
    """The request weight that one address may use a minute; None when it is not told.

    Of several the smallest counts, of those with which anything could be asked. Raises
    SourceUnavailable("invalid") for an answer of another shape.
    """
    limits = [
        int(one.limit / one.interval_num / _MINUTES[one.interval])
        for one in answer.read(_Limits).rate_limits
        if one.rate_limit_type == "REQUEST_WEIGHT"
    ]
    return min((limit for limit in limits if limit >= _LIMIT_MIN), default=None)
