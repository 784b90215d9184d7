"""Spot prices from Binance's public REST API: `GET /api/v3/ticker/24hr`, no key needed.

Rules from the exchange's REST documentation (error codes, limits, hosts), read in July 2026.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from .base import AnswerInvalid, HostFailed, Quote, Reading, SymbolUnknown
from .binance_ticker import fold_symbol, read_error, read_ticker
from .gate import Gate
from .shared import FLIGHTS_MAX, SharedQuotes

if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock

# Serves market data only and needs no key; api.binance.com refuses some countries and hosted CI runners (451).
DEFAULT_BASE_URL = "https://data-api.binance.vision"

BODY_BYTES_MAX = 1024 * 1024
ERROR_BYTES_MAX = 64 * 1024
THROTTLED_SECONDS = 60.0  # the limits are per minute
BANNED_SECONDS = 120.0  # the shortest ban that is documented
PAUSE_SECONDS_MAX = 3 * 24 * 3600.0  # the longest one
REFUSED_SECONDS = 300.0  # a person must change something first; look again now and then

_INVALID_SYMBOL = -1121
_SECONDS = re.compile(r"[0-9]{1,9}")
_BANNED_UNTIL_MS = re.compile(r"banned until ([0-9]{10,15})\b")


@dataclass(frozen=True, kw_only=True)
class Binance:
    """Binance spot prices, for `DataSource(..., adapter=Binance())`. Pure data; `open` starts the feed.

    A quote is shared for `cache_seconds` (2 or more), handed out as stale for up to `stale_seconds` while the exchange
    cannot be asked; an answer may take `timeout_seconds` in all; `failures_max` failures in a row stop asking for
    `open_seconds`. Figures outside their range are refused with ValueError.
    """

    cache_seconds: float = 2.0
    stale_seconds: float = 60.0
    timeout_seconds: float = 3.0
    failures_max: int = 5
    open_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.cache_seconds < 2:
            raise ValueError("Binance(cache_seconds=...) is 2 or more: the exchange limits requests per address")
        if self.stale_seconds < self.cache_seconds:
            raise ValueError("Binance(stale_seconds=...) is not smaller than cache_seconds")
        if self.timeout_seconds <= 0 or self.failures_max < 1 or self.open_seconds <= 0:
            raise ValueError("Binance(timeout_seconds, failures_max, open_seconds) are above zero")

    def open(self, base_url: str, clock: "Clock", *, monotonic: Callable[[], float] = time.monotonic) -> "BinanceFeed":
        """A feed on this host. Close it with `aclose()`. A `base_url` that is not plain http(s) is a ValueError."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"BINANCE_BASE_URL must look like {DEFAULT_BASE_URL}")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("BINANCE_BASE_URL must not carry a user, a query or a fragment")
        return BinanceFeed(self, base_url.rstrip("/"), clock, monotonic=monotonic)


class BinanceFeed:
    """A running connection to one Binance host: its client, cache and circuit. Belongs to one event loop."""

    def __init__(
        self, config: Binance, base_url: str, clock: "Clock", *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.used_weight: int | None = None
        """Request weight of the running minute as last told by the host; None when it told nothing usable."""
        self._clock = clock
        self._timeout_seconds = config.timeout_seconds
        self._gate = Gate(monotonic, failures_max=config.failures_max, open_seconds=config.open_seconds)
        self._shared = SharedQuotes(
            self._fetch, monotonic, fresh_seconds=config.cache_seconds, stale_seconds=config.stale_seconds
        )
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            # Uncompressed, so that the size limit is a limit on what we hold in memory.
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "tenantry"},
            timeout=config.timeout_seconds,
            limits=httpx2.Limits(max_connections=FLIGHTS_MAX, max_keepalive_connections=8),
            follow_redirects=False,
        )

    async def quote(self, symbol: str) -> Reading:
        """The pair's price and 24-hour figures; lower case is accepted.

        Raises SymbolUnknown, NoPrice, AnswerInvalid or SourceUnavailable.
        """
        return await self._shared.get(fold_symbol(symbol))

    async def aclose(self) -> None:
        """Stop what is under way and close the connections."""
        await self._shared.aclose()
        await self._http.aclose()

    async def _fetch(self, symbol: str) -> Quote:
        with self._gate.passage():
            try:
                # httpx limits each read; a host that drips one byte a second is stopped by this.
                async with asyncio.timeout(self._timeout_seconds):
                    return await self._ask(symbol)
            except (TimeoutError, httpx2.TimeoutException):
                raise HostFailed("timeout") from None
            except httpx2.HTTPError as error:
                raise HostFailed("unreachable", detail=str(error)) from error

    async def _ask(self, symbol: str) -> Quote:
        async with self._http.stream("GET", "/api/v3/ticker/24hr", params={"symbol": symbol}) as response:
            self.used_weight = _used_weight(response)
            status = response.status_code
            if status == 200:
                return read_ticker(await _body(response), symbol)
            if status == 429:
                raise self._gate.pause(self._told_seconds(response) or THROTTLED_SECONDS, "throttled")
            if status == 418:
                raise self._gate.pause(await self._ban_seconds(response), "banned")
            if status in (403, 451):
                raise self._gate.pause(REFUSED_SECONDS, "refused", may_retry=False)
            if status >= 500:
                raise HostFailed("failing", detail=f"status {status}")
            if status == 400 and read_error(await _beginning(response, ERROR_BYTES_MAX)).code == _INVALID_SYMBOL:
                raise SymbolUnknown(symbol)
            raise AnswerInvalid("invalid", detail=f"status {status}")

    def _told_seconds(self, response: httpx2.Response) -> float | None:
        """`Retry-After` as seconds from now, 1 or more; None when absent or unreadable."""
        text = response.headers.get("retry-after", "").strip()
        if _SECONDS.fullmatch(text):
            return _bounded(float(text))
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        return _bounded((aware - self._clock.now()).total_seconds())

    async def _ban_seconds(self, response: httpx2.Response) -> float:
        """How long the ban lasts: `Retry-After` first, then the milliseconds in the text."""
        if told := self._told_seconds(response):
            return told
        self._gate.pause(BANNED_SECONDS, "banned")  # now, in case the text never arrives
        found = _BANNED_UNTIL_MS.search(read_error(await _beginning(response, ERROR_BYTES_MAX)).msg)
        seconds = int(found[1]) / 1000 - self._clock.now().timestamp() if found else 0.0
        return _bounded(seconds) if seconds > 0 else BANNED_SECONDS


async def _body(response: httpx2.Response) -> bytes:
    """The whole answer. Raises AnswerInvalid above the limit, and for one that is compressed although not asked for."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise AnswerInvalid("invalid", detail="a compressed answer")
    body = await _beginning(response, BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        raise AnswerInvalid("invalid", detail=f"an answer above {BODY_BYTES_MAX} bytes")
    return body


async def _beginning(response: httpx2.Response, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= bytes_max:
            break
    return bytes(body[:bytes_max])


def _used_weight(response: httpx2.Response) -> int | None:
    headers = response.headers
    text = headers.get("x-mbx-used-weight-1m", headers.get("x-mbx-used-weight", ""))
    return int(text) if _SECONDS.fullmatch(text) else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), PAUSE_SECONDS_MAX)
