"""What a plan can limit: a flow, a stock, or a number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .shapes import must_be, must_be_text, settle_list

UNLIMITED: Final = None
"""As a limit: the plan sets none."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A flow, counted in a window that begins anew: requests a day, model tokens a month.

    A day is a UTC day. A month is the holder's billing period if there is one, else the calendar month in UTC.
    `per` is "day" or "month"; another word is a finding of `Product.check()`. With `strict` every call is counted in
    the database before it is admitted, also by many processes at once; without, processes hold units for a second.
    `notices` are the percents of a limit at which its holder is told by mail, once a window each; () tells nobody.
    While the database does not answer, a process spends what it holds for a second. After that calls are refused
    (503), or with `fail_open` admitted without being counted: then the quota is no promise, and a metric and the log
    say how many there were.
    """

    name: str
    per: Literal["day", "month"] = "day"
    strict: bool = False
    notices: Sequence[int] = (80, 100)
    fail_open: bool = False

    def __post_init__(self) -> None:
        must_be_text(self, "name", "per")
        must_be(self, "strict", self.strict, bool)
        settle_list(self, "notices", int)
        must_be(self, "fail_open", self.fail_open, bool)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A stock that falls when something is deleted: stored bytes."""

    name: str
    unit: str = "bytes"

    def __post_init__(self) -> None:
        must_be_text(self, "name", "unit")


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows a holder may have at a time: API keys, components, members."""

    name: str

    def __post_init__(self) -> None:
        must_be_text(self, "name")


Limited: TypeAlias = Meter | Gauge | Count
"""Anything that may stand as a key in `Plan.limits`."""
