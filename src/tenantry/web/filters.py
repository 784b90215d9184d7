"""Numbers, money and times as a reader of one language expects them.

`Formats(translator).filters()` is what the templates use; the functions are pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import (
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
    get_currency_precision,
)
from markupsafe import Markup

from .translations import Translator

_BYTE_UNITS = ("kB", "MB", "GB", "TB", "PB")
_ROUNDS_TO_1000 = 999.95


@dataclass(frozen=True, slots=True)
class Formats:
    """The filters of one language."""

    words: Translator

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """The functions by the name that templates use."""
        return {
            "money": self.money,
            "number": self.number,
            "compact": self.compact,
            "percent": self.percent,
            "bytes": self.size,
            "date": self.day,
            "datetime": self.moment,
            "relative": self.relative,
        }

    def money(self, minor: int, currency: str) -> str:
        """Minor units with an ISO 4217 code: `1900, "USD"` → `$19`, `1950` → `$19.50`. Whole amounts lose the zeros."""
        digits = get_currency_precision(currency)
        amount = Decimal(minor).scaleb(-digits)
        is_whole = amount == amount.to_integral_value()
        pattern = self.words.babel.currency_formats["standard"].pattern
        if is_whole:
            pattern = pattern.replace("0.00", "0")
        return format_currency(amount, currency, format=pattern, locale=self.words.locale, currency_digits=not is_whole)

    def number(self, value: float | Decimal) -> str:
        """A number with the separators of the language."""
        return format_decimal(value, locale=self.words.locale)

    def compact(self, value: float) -> str:
        """A short number for axes and tiles: 950, 1.2K, 3.4M."""
        if abs(value) < 10_000:
            return self.number(value)
        return format_compact_decimal(value, fraction_digits=1, locale=self.words.locale)

    def percent(self, share: float) -> str:
        """A share of 1 in whole per cent: 0.345 → 34%."""
        return format_percent(share, locale=self.words.locale)

    def size(self, size_bytes: int) -> str:
        """A size in powers of 1000, which is how plans state storage: 52428800 → 52.4 MB."""
        if abs(size_bytes) < 1000:
            return self.words.plural("%(num)d byte", "%(num)d bytes", size_bytes)
        scales = [(size_bytes / 1000**power, unit) for power, unit in enumerate(_BYTE_UNITS, start=1)]
        amount, unit = next((scale for scale in scales if abs(scale[0]) < _ROUNDS_TO_1000), scales[-1])
        return f"{format_decimal(round(amount, 1), locale=self.words.locale)} {unit}"

    def day(self, when: date) -> Markup:
        """The day in a `<time>` element. A datetime is first brought to UTC."""
        day = _utc(when).date() if isinstance(when, datetime) else when
        return _time(day.isoformat(), format_date(day, "medium", locale=self.words.locale))

    def moment(self, when: datetime, *, zone: bool = False) -> Markup:
        """Day and minute in UTC in a `<time>` element; the page's script shows it in the reader's own time zone.

        With `zone` the script names that zone too, for times that stand beside UTC.
        """
        return _time(_iso(_utc(when)), self.utc(when), local="zone" if zone else "")

    def utc(self, when: datetime) -> str:
        """Day and minute in UTC as plain text, for mails."""
        moment = _utc(when)
        day = format_date(moment, "medium", locale=self.words.locale)
        return f"{day}, {format_time(moment, 'short', locale=self.words.locale)} UTC"

    def wait(self, seconds: int) -> str:
        """How long from now as plain text, in whole minutes or hours and never too short: 830 → "in 14 minutes"."""
        unit = 60 if seconds < 60 * 60 else 60 * 60
        whole = timedelta(seconds=max(1, -(-seconds // unit)) * unit)
        return format_timedelta(whole, add_direction=True, threshold=1, locale=self.words.locale)

    def relative(self, when: datetime, now: datetime) -> Markup:
        """The distance from `now` in a `<time>` element: "in 5 hours", "3 days ago"; the time itself is its tooltip."""
        moment = _utc(when)
        text = format_timedelta(moment - now, add_direction=True, locale=self.words.locale)
        return Markup('<time datetime="{}" title="{}" data-local="title">{}</time>').format(
            _iso(moment), self.utc(moment), text
        )


def _utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError("a time without a zone cannot be shown")
    return when.astimezone(UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(machine: str, text: str, *, local: str | None = None) -> Markup:
    """What `local` says to the page's script: "" its text in the reader's zone, "zone" with the zone's name."""
    mark = "" if local is None else Markup(' data-local="{}"').format(local) if local else Markup(" data-local")
    return Markup('<time datetime="{}"{}>{}</time>').format(machine, mark, text)
