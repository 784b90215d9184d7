"""A price tried on the dashboard: what came of it, in words and figures for people."""

from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_decimal, format_percent

from tenantry.kernel import Context, Problem
from tenantry.usage import BurstExceeded, QuotaExceeded

from . import actions
from .errors import (
    NoPriceNow,
    PlanTooSmall,
    SourceAway,
    SourceBusy,
    SourceNotFound,
    SourcePlanned,
    SymbolMissing,
    UnknownSymbol,
)
from .providers.base import Quote

SYMBOL_SHOWN_MAX = 40

_ALL_DIGITS = "#,##0.00################"

_REFUSALS = (
    SourceNotFound,
    SourcePlanned,
    PlanTooSmall,
    BurstExceeded,
    QuotaExceeded,
    SymbolMissing,
    UnknownSymbol,
    NoPriceNow,
    SourceAway,
    SourceBusy,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """A quote's figures as the reader's language writes them; the price keeps every digit. None: not stated."""

    price: str
    change: str | None
    change_percent: str | None
    volume: str | None
    is_up: bool
    is_down: bool

    @classmethod
    def of(cls, quote: Quote, locale: str) -> "Figures":
        """Write the figures of one quote."""
        change, percent, volume = quote.change_24h, quote.change_percent_24h, quote.volume_24h
        return cls(
            price=_exact(quote.price, locale),
            change=None if change is None else _signed(change, locale),
            change_percent=None if percent is None else _percent(percent, locale),
            volume=None if volume is None else format_decimal(volume, locale=locale),
            is_up=(change or percent or 0) > 0,
            is_down=(change or percent or 0) < 0,
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What was typed, and either a reading or the problem in its way."""

    symbol: str
    priced: actions.Priced | None = None
    problem: Problem | None = None
    figures: Figures | None = None

    @property
    def status(self) -> int:
        """The status of the answer that shows it."""
        return self.problem.status if self.problem else 200


async def try_price(ctx: Context, symbol: str, *, locale: str) -> Tried:
    """Read a price for the dashboard; what the caller may be told becomes part of the page, all else is raised."""
    asked = symbol.strip()
    shown = asked[:SYMBOL_SHOWN_MAX]
    try:
        if not asked:
            raise SymbolMissing
        priced = await actions.read_price(ctx, asked)
    except _REFUSALS as problem:
        return Tried(shown, problem=problem)
    return Tried(shown, priced=priced, figures=Figures.of(priced.reading.quote, locale))


def _exact(amount: Decimal, locale: str) -> str:
    """Every digit that says something, and two decimals at least: 62,400.00 and 0.0000127."""
    return format_decimal(amount.normalize(), locale=locale, decimal_quantization=False, format=_ALL_DIGITS)


def _signed(amount: Decimal, locale: str) -> str:
    return f"{'+' if amount > 0 else ''}{_exact(amount, locale)}"


def _percent(percent: Decimal, locale: str) -> str:
    return f"{'+' if percent > 0 else ''}{format_percent(percent / 100, format='#,##0.00%', locale=locale)}"
