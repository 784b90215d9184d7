"""What is asked of one Binance host, and what it costs: tickers, the pairs it lists, its limits.

Rules from the exchange's REST documentation (weights, limits, error codes, hosts), read in July 2026.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from .base import SourceError, SourceUnavailable, SymbolUnknown
from .binance_answers import read_error, read_limit, read_listing
from .binance_ticker import read_tickers
from .host import Answer, Host
from .polled import fold_symbol
from .shelf import Outcome

UNITS_MAX = 1200
"""Weight a minute until the exchange has told its own: the lowest that it ever allowed."""
SYMBOLS_MAX = 20
"""Symbols of one request; from 21 on it costs 40."""
TICKERS_UNITS, LISTING_UNITS, LIMIT_UNITS = 2, 4, 20

LISTING_SECONDS = 600.0
"""How long the list of pairs is believed: a new pair is found after this long."""
LIMIT_SECONDS = 3600.0
RETRY_SECONDS = 60.0
DOUBTS_A_MINUTE = 60
"""Requests a minute for symbols that nobody knows to exist, at 2 each; only while there is no list."""

_INVALID_SYMBOL = -1121
_FIGURE = re.compile(r"[0-9]{1,9}")
_BANNED_UNTIL_MS = re.compile(r"banned until ([0-9]{10,15})\b")


class Exchange:
    """Asks for tickers, and knows which symbols exist.

    One invalid symbol makes the exchange refuse a whole request. So a symbol is sure once the exchange lists it or has
    answered for it; the others are asked for apart, and a refused request is asked again in halves. While the list is
    young, what it lacks is refused without asking: a caller who invents symbols costs nothing upstream.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._listed: set[str] = set()
        self._answered: set[str] = set()
        self._listing_until = self._listing_due = self._limit_due = float("-inf")
        self._doubts_minute = self._doubts = 0

    def fold(self, symbol: str) -> str:
        """A caller's text as a symbol. Raises SymbolUnknown for what cannot be one and for what is not listed."""
        folded = fold_symbol(symbol)
        if not self.is_sure(folded) and self._host.clock.monotonic() < self._listing_until:
            raise SymbolUnknown(folded)
        return folded

    def is_sure(self, symbol: str) -> bool:
        """Whether the symbol is known to exist."""
        return symbol in self._listed or symbol in self._answered

    async def tickers(self, symbols: Sequence[str]) -> Mapping[str, Outcome]:
        """Each symbol's quote, or why there is none."""
        are_sure = all(self.is_sure(symbol) for symbol in symbols)
        outcomes = await self._tickers(symbols, are_sure=are_sure)
        for symbol, outcome in outcomes.items():
            if isinstance(outcome, SymbolUnknown):
                self._listed.discard(symbol)
                self._answered.discard(symbol)
            elif not isinstance(outcome, SourceUnavailable):
                self._answered.add(symbol)
        # Only a host that answers is asked for more.
        if not all(isinstance(outcome, SourceUnavailable) for outcome in outcomes.values()):
            self._learn(are_sure=are_sure)
        return outcomes

    async def _tickers(self, symbols: Sequence[str], *, are_sure: bool) -> dict[str, Outcome]:
        try:
            answer = await self._ask(symbols, are_sure=are_sure)
            if answer.status == 200:
                return read_tickers(answer.body, symbols, now=self._host.clock.now())
            code = read_error(answer.body).code if answer.status == 400 else 0
            if code != _INVALID_SYMBOL:
                raise SourceUnavailable("invalid", detail=f"status {answer.status}, code {code}")
        except SourceError as error:
            return dict.fromkeys(symbols, error)
        if len(symbols) == 1:
            return {symbols[0]: SymbolUnknown(symbols[0])}
        half = len(symbols) // 2
        first = await self._tickers(symbols[:half], are_sure=are_sure)
        return first | await self._tickers(symbols[half:], are_sure=are_sure)

    async def _ask(self, symbols: Sequence[str], *, are_sure: bool) -> Answer:
        if not are_sure:
            self._doubt()
        listed = msgspec.json.encode(symbols).decode()  # without spaces, as the exchange wants it
        params = {"symbol": symbols[0]} if len(symbols) == 1 else {"symbols": listed}
        # A 403 comes from a firewall, and may be about a word that somebody invented: that alone shuts nothing.
        mild = () if are_sure else (403,)
        return await self._host.get("/api/v3/ticker/24hr", params=params, units=TICKERS_UNITS, mild=mild)

    def _doubt(self) -> None:
        now = self._host.clock.monotonic()
        if int(now // 60) != self._doubts_minute:
            self._doubts_minute, self._doubts = int(now // 60), 0
        if self._doubts >= DOUBTS_A_MINUTE:
            raise SourceUnavailable("busy", retry_after=60 - now % 60, detail="too many unknown symbols")
        self._doubts += 1

    def _learn(self, *, are_sure: bool) -> None:
        """Load what is due, beside the calls; what cannot be had is tried again in a minute."""
        now = self._host.clock.monotonic()
        if now >= self._listing_due and not are_sure:
            self._listing_due = now + RETRY_SECONDS
            self._host.beside(self._load_listing)
        if now >= self._limit_due and (known := next(iter(self._answered), None)):
            self._limit_due = now + RETRY_SECONDS
            self._host.beside(partial(self._load_limit, known))

    async def _load_listing(self) -> None:
        # The cheapest answer that names every pair: a few bytes each, where exchangeInfo sends kilobytes.
        answer = await self._host.get("/api/v3/ticker/price", units=LISTING_UNITS, mild=(403,))
        self._listed = read_listing(answer)
        self._listing_until = self._listing_due = self._host.clock.monotonic() + LISTING_SECONDS

    async def _load_limit(self, symbol: str) -> None:
        # With one symbol it is small; its limits are the same.
        params = {"symbol": symbol}
        answer = await self._host.get("/api/v3/exchangeInfo", params=params, units=LIMIT_UNITS, mild=(403,))
        if self._host.budget and (limit := read_limit(answer)):
            self._host.budget.units_max = limit
            self._limit_due = self._host.clock.monotonic() + LIMIT_SECONDS


def used_units(headers: Mapping[str, str]) -> int | None:
    """The weight used in the running minute, as the exchange tells it; None when absent or odd."""
    text = headers.get("x-mbx-used-weight-1m") or headers.get("x-mbx-used-weight") or ""
    return int(text) if _FIGURE.fullmatch(text) else None


def banned_until(body: bytes) -> float | None:
    """When a ban ends, in seconds since 1970, from the milliseconds in its text."""
    found = _BANNED_UNTIL_MS.search(read_error(body).msg)
    return int(found[1]) / 1000 if found else None
