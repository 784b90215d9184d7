"""The figures of `tenantry.billing.revenue` as the page shows them and as the file has them."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from io import StringIO
from typing import Any, NamedTuple

from babel.dates import format_skeleton
from babel.numbers import get_currency_precision

from tenantry.billing.revenue import Customers, Figures, Money, Month, Revenue, Trials
from tenantry.kernel.spreadsheets import plain, utc_text

OTHER = "other"
"""How the part is called that buys no declared plan, as in the command."""
_MONEY = (
    "start", "new", "expansion", "contraction", "churned", "reactivated", "end", "subscriptions", "by_use", "customers",
    "received", "refunded",
)  # fmt: skip
_CUSTOMERS = ("start", "new", "reactivated", "churned", "end")
_TRIALS = ("converted", "lapsed", "undecided")
COLUMNS = (
    "of", "name", "month", "currency", *_MONEY, *(f"customers_{one}" for one in _CUSTOMERS),
    *(f"trials_{one}" for one in _TRIALS),
)  # fmt: skip


class Part(NamedTuple):
    """A part of the figures: by `of` "provider" or "plan", or everything with "". `key`: how an address names it."""

    of: str
    name: str
    figures: Figures

    @property
    def key(self) -> str:
        return f"{self.of}:{self.name}" if self.of else ""


def parts_of(found: Revenue) -> list[Part]:
    """Everything, then each provider, then each plan; what buys no plan comes last."""
    return [
        Part("", "", found.total),
        *(Part("provider", name, one) for name, one in found.by_provider.items()),
        *(Part("plan", name or OTHER, one) for name, one in found.by_plan.items()),
    ]


def currencies_of(figures: Figures) -> list[str]:
    """The currencies of the months, the one in which most recurs first."""
    now = figures.mrr
    return sorted({one for month in figures.months for one in month.money}, key=lambda one: (-now.get(one, 0), one))


def months_of(figures: Figures) -> list[Month]:
    """The months, newest first, without those before the first one in which there was anything; one at least."""
    full = [place for place, one in enumerate(figures.months) if _is_full(one)]
    return figures.months[full[0] if full else -1 :][::-1]


def money_of(month: Month, currency: str) -> Money:
    """What moved in a month in a currency; all 0 where nothing did."""
    return month.money.get(currency, Money())


def month_name(month: Month, locale: str) -> str:
    """What a month is called, shortly: "Nov 2026"."""
    return str(format_skeleton("yMMM", month.start, locale=locale))


def recurring(figures: Figures, currency: str, locale: str) -> list[tuple[str, float]]:
    """What recurs at the end of each month, in whole units of the currency, for a chart."""
    digits = get_currency_precision(currency)
    return [
        (month_name(one, locale), float(Decimal(money_of(one, currency).end).scaleb(-digits))) for one in figures.months
    ]


def csv_of(found: Revenue) -> str:
    """All parts by month, as RFC 4180 has it: a line for each currency, and one without, of customers and trials."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for part in parts_of(found):
        writer.writerows([line[name] for name in COLUMNS] for line in _lines(part))
    return text.getvalue()


def _is_full(month: Month) -> bool:
    return bool(month.money) or month.customers != Customers() or month.trials != Trials()


def _lines(part: Part) -> Iterator[Mapping[str, Any]]:
    for month in part.figures.months:
        head = {"of": part.of or "all", "name": plain(part.name), "month": utc_text(month.start)[:7]}
        counts = {
            **_named("customers_", month.customers, _CUSTOMERS),
            **_named("trials_", month.trials, _TRIALS),
        }
        yield dict.fromkeys(COLUMNS, "") | head | counts
        for currency, money in month.money.items():
            yield dict.fromkeys(COLUMNS, "") | head | {"currency": currency} | _named("", money, _MONEY)


def _named(prefix: str, row: object, names: Iterable[str]) -> dict[str, Any]:
    return {f"{prefix}{name}": getattr(row, name) for name in names}
