"""What is remembered of a source for a moment: quotes, and refusals of single symbols."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from .base import NoPrice, Quote, Reading, SourceError, SourceUnavailable, SymbolUnknown

# Upper bound, so that a caller who invents symbols does not fill the memory.
SYMBOLS_MAX = 4096
# New pairs are listed rarely; asking again and again for one that is not there would spend the upstream's patience.
UNKNOWN_SECONDS = 60.0

Outcome = Quote | SourceError
Kept = TypeVar("Kept")


class Shelf:
    """Remembers quotes and refusals by symbol.

    A quote is fresh for `fresh_seconds`; when no newer one can be had it is handed out as stale until it is
    `stale_seconds` old. Ages are of our own monotonic clock: never negative, whatever the upstream says of the time.
    """

    def __init__(self, monotonic: Callable[[], float], *, fresh_seconds: float, stale_seconds: float) -> None:
        self._monotonic = monotonic
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        # Two shelves: refusals of invented symbols must not push out the quotes people use.
        self._quotes: OrderedDict[str, tuple[float, Quote]] = OrderedDict()
        self._refusals: OrderedDict[str, tuple[float, SourceError]] = OrderedDict()

    def fresh(self, symbol: str) -> Reading | None:
        """A quote that is young enough to need no question."""
        return self._held(symbol, self._fresh_seconds, is_stale=False)

    def refusal(self, symbol: str) -> SourceError | None:
        """What was said of the symbol a moment ago, if that was no."""
        until, refusal = self._refusals.get(symbol, (0.0, None))
        return refusal if refusal and self._monotonic() < until else None

    def keep(self, symbol: str, outcome: Outcome) -> None:
        """Remember what came of a question."""
        if isinstance(outcome, Quote):
            _put(self._quotes, symbol, (self._monotonic(), outcome))
            self._refusals.pop(symbol, None)
            return
        if isinstance(outcome, SourceUnavailable) and outcome.reason != "invalid":
            return  # Concerns the host, whose gate remembers it.
        if isinstance(outcome, SymbolUnknown | NoPrice):
            self._quotes.pop(symbol, None)
        seconds = UNKNOWN_SECONDS if isinstance(outcome, SymbolUnknown) else self._fresh_seconds
        _put(self._refusals, symbol, (self._monotonic() + seconds, outcome))

    def reading(self, symbol: str, outcome: Outcome) -> Reading:
        """The outcome for one caller: its quote, or a stale one where the source is away. Raises what it is else."""
        if isinstance(outcome, Quote):
            return self._held(symbol, self._stale_seconds, is_stale=False) or _new(outcome)
        stale = self._held(symbol, self._stale_seconds, is_stale=True)
        if stale and isinstance(outcome, SourceUnavailable):
            return stale
        raise copy.copy(outcome)  # One instance raised by many callers would collect all their tracebacks.

    def _held(self, symbol: str, seconds_max: float, *, is_stale: bool) -> Reading | None:
        if symbol not in self._quotes:
            return None
        since, quote = self._quotes[symbol]
        age = max(0.0, self._monotonic() - since)
        return Reading(quote=quote, age_seconds=age, is_stale=is_stale) if age <= seconds_max else None


def _new(quote: Quote) -> Reading:
    return Reading(quote=quote, age_seconds=0.0, is_stale=False)


def _put(shelf: OrderedDict[str, Kept], symbol: str, value: Kept) -> None:
    shelf[symbol] = value
    shelf.move_to_end(symbol)
    if len(shelf) > SYMBOLS_MAX:
        shelf.popitem(last=False)
