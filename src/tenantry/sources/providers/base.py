"""What a data source gives us, in our nouns, and how it may fail."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

# A declaration names adapters, and reading one loads no framework: kernel is imported for its types only.
if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock

Reason = Literal[
    "banned",  # the upstream banned this address for a while
    "busy",  # too many different symbols are being asked for at once, on our side
    "closed",  # the feed was closed while the caller waited
    "failing",  # the upstream answers with errors of its own, or did so until a moment ago
    "invalid",  # the upstream answered with something that is not a quote
    "refused",  # the upstream does not serve this place; asking again does not help
    "throttled",  # the upstream asked us to slow down
    "timeout",  # the upstream did not answer in time
    "unreachable",  # no connection to the upstream, or it broke
]


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """One pair's figures over a rolling 24 hours, as the upstream stated them at `as_of`.

    Price, volumes and `change_24h` are in units of the pair, exact; `change_percent_24h` has three decimals.
    """

    symbol: str
    price: Decimal
    change_24h: Decimal
    change_percent_24h: Decimal
    volume_24h: Decimal
    quote_volume_24h: Decimal
    as_of: datetime


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A quote and the seconds since its answer arrived; `is_stale` when a newer one could not be had."""

    quote: Quote
    age_seconds: float
    is_stale: bool


class Feed(Protocol):
    """A running data source; belongs to one event loop. Every failure is a `SourceError`."""

    async def quote(self, symbol: str) -> Reading: ...

    async def aclose(self) -> None: ...


class Adapter(Protocol):
    """What `DataSource(adapter=...)` holds: pure data that knows how to start its feed."""

    def open(self, base_url: str, clock: "Clock") -> Feed: ...


class SourceError(Exception):
    """A data source has no quote to give."""


class SymbolUnknown(SourceError):
    """The source does not know this symbol, or it cannot be one. The argument is the symbol."""


class NoPrice(SourceError):
    """The pair exists but is not traded now: it has no price, which is not a price of zero."""


class SourceUnavailable(SourceError):
    """The source cannot answer now.

    `retry_after`: seconds after which asking again makes sense, None when unknown or pointless. `detail` is for logs.
    """

    def __init__(self, reason: Reason, *, retry_after: float | None = None, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class AnswerInvalid(SourceUnavailable):
    """The source answered, but not with a quote for this symbol. Nothing of such an answer is used."""


class HostFailed(SourceUnavailable):
    """The host gave no answer, or an error of its own: what a circuit counts."""
