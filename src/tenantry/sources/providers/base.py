"""What a data source gives us, in our nouns, and how it may fail."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

# A declaration names adapters, and reading one loads no framework: kernel is imported for its types only.
if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock

_DIGITS_MAX = 40  # before or after the point: "1e999999" is a number, and a million digits when it is written out

Reason = Literal[
    "banned",  # the upstream banned this address for a while
    "busy",  # too many different symbols are being asked for at once, on our side
    "closed",  # the feed was closed while the caller waited
    "failing",  # the upstream answers with errors of its own, or did so until a moment ago
    "invalid",  # the upstream answered with something that is not a quote
    "refused",  # the upstream does not serve this place; asking again does not help
    "short",  # the upstream's budget of this minute is nearly used up, and others went first
    "throttled",  # the upstream asked us to slow down
    "timeout",  # the upstream did not answer in time
    "unreachable",  # no connection to the upstream, or it broke
]


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's price as the upstream stated it at `as_of`, and what it states of the last 24 hours.

    Price, volumes and `change_24h` are exact, in units of the pair. A price that is not above zero, an amount that is
    no finite number or has too many digits, and a time without a zone raise SourceUnavailable("invalid"): nobody is
    shown such a quote.
    """

    symbol: str
    price: Decimal
    as_of: datetime
    change_24h: Decimal | None = None
    change_percent_24h: Decimal | None = None
    volume_24h: Decimal | None = None
    quote_volume_24h: Decimal | None = None

    def __post_init__(self) -> None:
        amounts = (self.price, self.change_24h, self.change_percent_24h, self.volume_24h, self.quote_volume_24h)
        if not all(amount is None or _is_sound(amount) for amount in amounts) or self.price <= 0:
            raise SourceUnavailable("invalid", detail=f"no amounts: {amounts}")
        if self.as_of.utcoffset() is None:
            raise SourceUnavailable("invalid", detail="a time without a zone")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A quote and the seconds since its answer arrived; `is_stale` when a newer one could not be had."""

    quote: Quote
    age_seconds: float
    is_stale: bool


class Feed(Protocol):
    """A running data source; belongs to one event loop. `tenantry.sources.Polled` is one."""

    async def quote(self, symbol: str, *, priority: int = 0) -> Reading:
        """The newest figures to be had; every failure is a `SourceError`. Higher priorities go first."""

    def trouble(self) -> "SourceUnavailable | None":
        """Why nothing can be asked just now, None when all is well as far as is known. Asks nobody."""

    async def aclose(self) -> None: ...


class Adapter(Protocol):
    """What `DataSource(adapter=...)` holds: pure data that knows how to start its feed."""

    def open(self, clock: "Clock") -> Feed: ...


class SourceError(Exception):
    """A data source has no quote to give."""


class SymbolUnknown(SourceError):
    """The source does not know this symbol, or it cannot be one. The argument is the symbol."""


class NoPrice(SourceError):
    """The pair exists but is not traded now: it has no price, which is not a price of zero."""


class SourceUnavailable(SourceError):
    """The source cannot answer now.

    `retry_after`: seconds after which asking again makes sense, None when unknown or pointless. `detail` is for logs.
    Of an answer that was "invalid" nothing is used.
    """

    def __init__(self, reason: Reason, *, retry_after: float | None = None, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class HostFailed(SourceUnavailable):
    """The host gave no answer, or an error of its own: what a circuit counts."""


def _is_sound(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DIGITS_MAX and amount.adjusted() <= _DIGITS_MAX
