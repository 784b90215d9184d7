"""Quotes that many callers share: remembered for a moment, asked for once at a time."""

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .base import AnswerInvalid, NoPrice, Quote, Reading, SourceError, SourceUnavailable, SymbolUnknown

# Upper bounds, so that a caller who invents symbols fills neither the memory nor the connection pool.
SYMBOLS_MAX = 4096
FLIGHTS_MAX = 32
# New pairs are listed rarely; asking again and again for one that is not there would spend the upstream's patience.
UNKNOWN_SECONDS = 60.0

Kept = TypeVar("Kept")


class SharedQuotes:
    """Remembers quotes and refusals by symbol; callers of one symbol share one request.

    `fetch(symbol)` returns a Quote or raises a SourceError. A quote is fresh for `fresh_seconds`; when no newer one can
    be had it is handed out as stale until it is `stale_seconds` old. A cancelled caller does not cancel the others.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[Quote]],
        monotonic: Callable[[], float],
        *,
        fresh_seconds: float,
        stale_seconds: float,
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        # Two shelves: refusals of invented symbols must not push out the quotes people use.
        self._quotes: OrderedDict[str, tuple[float, Quote]] = OrderedDict()
        self._refusals: OrderedDict[str, tuple[float, SourceError]] = OrderedDict()
        self._flights: dict[str, asyncio.Task[Quote | SourceError]] = {}
        self._is_closed = False

    async def get(self, symbol: str) -> Reading:
        """The newest quote to be had. Raises what `fetch` raised, unless a stale quote can stand in."""
        if fresh := self._held(symbol, self._fresh_seconds, is_stale=False):
            return fresh
        outcome = self._refusal(symbol) or await self._asked(symbol)
        if isinstance(outcome, Quote):
            return Reading(quote=outcome, age_seconds=self._age_seconds(symbol), is_stale=False)
        stale = self._held(symbol, self._stale_seconds, is_stale=True)
        if stale and isinstance(outcome, SourceUnavailable):
            return stale
        raise copy.copy(outcome)  # One instance raised by many callers would collect all their tracebacks.

    async def aclose(self) -> None:
        """Cancel what is under way; waiting and later callers get SourceUnavailable("closed")."""
        self._is_closed = True
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _held(self, symbol: str, seconds_max: float, *, is_stale: bool) -> Reading | None:
        if symbol not in self._quotes or (age := self._age_seconds(symbol)) > seconds_max:
            return None
        return Reading(quote=self._quotes[symbol][1], age_seconds=age, is_stale=is_stale)

    def _age_seconds(self, symbol: str) -> float:
        return self._monotonic() - self._quotes[symbol][0] if symbol in self._quotes else 0.0

    def _refusal(self, symbol: str) -> SourceError | None:
        until, refusal = self._refusals.get(symbol, (0.0, None))
        return refusal if refusal and self._monotonic() < until else None

    async def _asked(self, symbol: str) -> Quote | SourceError:
        if self._is_closed:
            return SourceUnavailable("closed")
        flight = self._flights.get(symbol)
        if flight is None:
            if len(self._flights) >= FLIGHTS_MAX:
                return SourceUnavailable("busy", retry_after=1.0)
            flight = asyncio.create_task(self._fly(symbol))
            self._flights[symbol] = flight
        await asyncio.wait([flight])  # Unlike awaiting the task, this leaves it alone when the caller is cancelled.
        return SourceUnavailable("closed") if flight.cancelled() else flight.result()

    async def _fly(self, symbol: str) -> Quote | SourceError:
        try:
            quote = await self._fetch(symbol)
        except SourceError as error:
            self._remember_refusal(symbol, error)
            return error
        else:
            _keep(self._quotes, symbol, (self._monotonic(), quote))
            self._refusals.pop(symbol, None)
            return quote
        finally:
            self._flights.pop(symbol, None)

    def _remember_refusal(self, symbol: str, error: SourceError) -> None:
        if isinstance(error, SourceUnavailable) and not isinstance(error, AnswerInvalid):
            return  # Concerns the host, whose gate remembers it.
        if isinstance(error, SymbolUnknown | NoPrice):
            self._quotes.pop(symbol, None)
        seconds = UNKNOWN_SECONDS if isinstance(error, SymbolUnknown) else self._fresh_seconds
        _keep(self._refusals, symbol, (self._monotonic() + seconds, error))


def _keep(shelf: OrderedDict[str, Kept], symbol: str, value: Kept) -> None:
    shelf[symbol] = value
    shelf.move_to_end(symbol)
    if len(shelf) > SYMBOLS_MAX:
        shelf.popitem(last=False)
