"""A feed made of one function that asks a host for several symbols at once."""

import asyncio
import contextlib
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from .base import NoPrice, Reading, SourceError, SourceUnavailable, SymbolUnknown
from .host import REQUESTS_MAX, Host
from .line import Line, Place
from .shelf import Outcome, Shelf

SYMBOLS_ASKED_MAX = 640
"""Different symbols that are asked for, or wait to be, at once."""
GATHER_SECONDS = 0.005
"""How long the first caller waits for others to share the request with."""

_SYMBOL = re.compile(r"[A-Za-z0-9]{2,20}")


def fold_symbol(symbol: str) -> str:
    """The symbol in upper case. Raises SymbolUnknown for what cannot be one: 2 to 20 ASCII letters and digits."""
    if not _SYMBOL.fullmatch(symbol):
        raise SymbolUnknown(symbol)
    return symbol.upper()


def _one_kind(_symbol: str) -> Hashable:
    return None


@dataclass(eq=False)
class Polled:
    """A feed: callers within a moment share one request, and what it answered is remembered.

    `fetch(symbols)` answers each symbol with a Quote or a SourceError. What it raises is every symbol's answer; a
    symbol it leaves out is "invalid". At most `REQUESTS_MAX` fetches run at once.

    - `symbols_max`: how many symbols one request may ask for; `units`: what it costs of the host's budget.
    - `cache_seconds`: a quote is shared for so long; `stale_seconds`: how old it may be handed out, as stale, while no
      newer one can be had.
    - `wait_seconds`: where the budget is short or too many requests are under way, a symbol waits so long at most, the
      highest priority first; then it is "short" or "busy".
    - `fold`: a caller's text as the source spells it. Raises SymbolUnknown for what need not be asked for.
    - `kind`: symbols of different kinds never share a request.
    """

    fetch: Callable[[Sequence[str]], Awaitable[Mapping[str, Outcome]]]
    host: Host
    _: KW_ONLY
    symbols_max: int = 1
    units: int = 1
    cache_seconds: float = 2.0
    stale_seconds: float = 60.0
    wait_seconds: float = 2.0
    fold: Callable[[str], str] = fold_symbol
    kind: Callable[[str], Hashable] = _one_kind
    outcomes: Counter[str] = field(init=False, default_factory=Counter)
    """Calls, by where their answer came from or why there was none."""
    waits: Counter[str] = field(init=False, default_factory=Counter)
    """Symbols that stood in line and were "sent", or stood there "in_vain"."""
    waited_seconds: float = field(init=False, default=0.0)
    """How long those that were sent stood there, together."""

    def __post_init__(self) -> None:
        self._monotonic = self.host.clock.monotonic
        self._shelf = Shelf(self._monotonic, fresh_seconds=self.cache_seconds, stale_seconds=self.stale_seconds)
        self._line = Line()
        self._asked: dict[str, asyncio.Future[Outcome]] = {}
        self._flights: set[asyncio.Task[None]] = set()
        self._pump: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._is_closed = False

    async def quote(self, symbol: str, *, priority: int = 0) -> Reading:
        """The newest quote to be had, or a stale one. Raises SymbolUnknown, NoPrice or SourceUnavailable."""
        try:
            folded = self.fold(symbol)
            if fresh := self._shelf.fresh(folded):
                self.outcomes["cached"] += 1
                return fresh
            outcome = self._shelf.refusal(folded) or await self._ask(folded, priority)
            reading = self._shelf.reading(folded, outcome)
        except SourceError as error:
            self.outcomes[_named(error)] += 1
            raise
        self.outcomes["stale" if reading.is_stale else "asked"] += 1
        return reading

    def trouble(self) -> SourceUnavailable | None:
        """Why nothing can be asked just now, None when all is well as far as is known. Asks nobody."""
        return self.host.trouble()

    @property
    def waiting(self) -> int:
        """How many symbols stand in line."""
        return len(self._line)

    async def aclose(self) -> None:
        """Cancel what is under way; waiting and later callers get SourceUnavailable("closed")."""
        self._is_closed = True
        under_way = [*self._flights, *([self._pump] if self._pump else [])]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        self._answer_all(list(self._asked), SourceUnavailable("closed"))
        await self.host.aclose()

    async def _ask(self, symbol: str, priority: int) -> Outcome:
        if self._is_closed:
            return SourceUnavailable("closed")
        asked = self._asked.get(symbol)
        if asked:
            self._line.raise_to(symbol, priority, now=self._monotonic())
        elif refused := self.host.trouble() or self._full(priority):
            return refused
        else:
            self._line.join(symbol, priority, now=self._monotonic(), kind=self.kind(symbol))
            asked = self._asked[symbol] = asyncio.get_running_loop().create_future()
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._send_all())
        self._stirred.set()
        await asyncio.wait([asked])  # Unlike awaiting it, this leaves it alone when the caller is cancelled.
        return asked.result()

    def _full(self, priority: int) -> SourceUnavailable | None:
        """Make room for one more, where there is none left: a symbol of a lower priority leaves."""
        if len(self._asked) < SYMBOLS_ASKED_MAX:
            return None
        busy = SourceUnavailable("busy", retry_after=1.0)
        if (dropped := self._line.drop_last(priority)) is None:
            return busy
        self._answer(dropped, busy)
        return None

    async def _send_all(self) -> None:
        """Send what stands in line, until nobody does."""
        await asyncio.sleep(GATHER_SECONDS)
        while self._line:
            self._stirred.clear()
            if trouble := self.host.trouble():
                self._answer_all(self._line.drop_before(math.inf), trouble)
            elif seconds := self._held_seconds():
                await self._hold(seconds)
            else:
                taken = self._line.take(self.symbols_max)
                flight = asyncio.create_task(self._fly(taken))
                self._flights.add(flight)
                flight.add_done_callback(self._landed)
                await asyncio.sleep(0)  # Let it begin: the budget must know of it before the next one goes.

    def _held_seconds(self) -> float:
        """How long the next request is held back, at most; 0 = it may go."""
        return 1.0 if len(self._flights) >= REQUESTS_MAX else self.host.wait_seconds(self.units)

    async def _hold(self, seconds: float) -> None:
        """Send those away who have waited long enough, then wait for a change."""
        busy = SourceUnavailable("busy", retry_after=1.0)
        short = SourceUnavailable("short", retry_after=self.host.recovers_in())
        late = self._line.drop_before(self._monotonic() - self.wait_seconds)
        self.waits["in_vain"] += len(late)
        self._answer_all(late, busy if len(self._flights) >= REQUESTS_MAX else short)
        if self._line:
            patience = self._line.oldest() + self.wait_seconds - self._monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, max(patience, 0.001))):
                    await self._stirred.wait()

    async def _fly(self, taken: Mapping[str, Place]) -> None:
        now = self._monotonic()
        self.waits["sent"] += len(taken)
        self.waited_seconds += sum(now - place.since for place in taken.values())
        left_out = SourceUnavailable("invalid", detail="not in the answer")
        try:
            outcomes = await self.fetch(list(taken))
            for symbol in taken:
                self._answer(symbol, outcomes.get(symbol, left_out))
        except SourceError as error:
            self._answer_all(list(taken), error)
        except Exception as error:  # noqa: BLE001 - a fault of the adapter is every caller's, and nobody waits for ever.
            self._break(taken, error)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._stirred.set()

    def _answer_all(self, symbols: Sequence[str], outcome: Outcome) -> None:
        for symbol in symbols:
            self._answer(symbol, outcome)

    def _answer(self, symbol: str, outcome: Outcome) -> None:
        asked = self._asked.pop(symbol, None)
        if asked:
            self._shelf.keep(symbol, outcome)
            asked.set_result(outcome)

    def _break(self, symbols: Mapping[str, Place], error: Exception) -> None:
        for symbol in symbols:
            if asked := self._asked.pop(symbol, None):
                asked.set_exception(error)
                asked.exception()  # Looked at here, in case every caller has left.


def _named(error: SourceError) -> str:
    if isinstance(error, SourceUnavailable):
        return error.reason
    return "no_price" if isinstance(error, NoPrice) else "unknown"
