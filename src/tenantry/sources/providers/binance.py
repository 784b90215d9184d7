"""Spot prices from Binance's public REST API: `GET /api/v3/ticker/24hr`, no key needed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .binance_exchange import SYMBOLS_MAX, TICKERS_UNITS, UNITS_MAX, Exchange, banned_until, used_units
from .host import Host
from .polled import Polled

if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock

# Serves market data only and needs no key; api.binance.com refuses some countries and hosted CI runners (451).
DEFAULT_BASE_URL = "https://data-api.binance.vision"


@dataclass(frozen=True, kw_only=True)
class Binance:
    """Binance spot prices, for `DataSource(..., adapter=Binance())`. Pure data; `open` starts the feed.

    A quote is shared for `cache_seconds` (2 or more), handed out as stale for up to `stale_seconds` while the exchange
    cannot be asked; an answer may take `timeout_seconds` in all; `failures_max` failures in a row stop asking for
    `open_seconds`. While the exchange's limit is nearly used up, calls of plans with a higher priority go first and
    the others wait `wait_seconds` at most. Figures outside their range are refused with ValueError.
    """

    cache_seconds: float = 2.0
    stale_seconds: float = 60.0
    timeout_seconds: float = 3.0
    wait_seconds: float = 2.0
    failures_max: int = 5
    open_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.cache_seconds < 2:
            raise ValueError("Binance(cache_seconds=...) is 2 or more: the exchange limits requests per address")
        if self.stale_seconds < self.cache_seconds:
            raise ValueError("Binance(stale_seconds=...) is not smaller than cache_seconds")
        if self.timeout_seconds <= 0 or self.failures_max < 1 or self.open_seconds <= 0:
            raise ValueError("Binance(timeout_seconds, failures_max, open_seconds) are above zero")
        if self.wait_seconds <= 0:
            raise ValueError("Binance(wait_seconds=...) is above zero")

    def open(self, clock: "Clock", *, base_url: str = DEFAULT_BASE_URL) -> Polled:
        """A feed on this host. Close it with `aclose()`. A `base_url` that is not plain http(s) is a ValueError."""
        host = Host(
            base_url,
            clock,
            timeout_seconds=self.timeout_seconds,
            failures_max=self.failures_max,
            open_seconds=self.open_seconds,
            units_max=UNITS_MAX,
            used_units=used_units,
            banned_until=banned_until,
        )
        exchange = Exchange(host)
        return Polled(
            exchange.tickers,
            host,
            symbols_max=SYMBOLS_MAX,
            units=TICKERS_UNITS,
            cache_seconds=self.cache_seconds,
            stale_seconds=self.stale_seconds,
            wait_seconds=self.wait_seconds,
            fold=exchange.fold,
            kind=exchange.is_sure,
        )
