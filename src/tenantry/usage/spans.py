"""A stretch of UTC days, as a filter names it: which windows a chart, a list or a file is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tenantry.web import mark

DAYS = 30
DAYS_MAX = 400
"""As many as ended windows are kept for by default; so a span never holds more windows of one meter than that."""
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)

DAY_REFUSED = mark("Write a day like 2026-03-14.")
SPAN_REVERSED = mark("The last day is before the first.")
SPAN_TOO_LONG = mark("Ask for 400 days at most.")


class SpanRefused(ValueError):
    """What is wrong with a span: the field ("from" or "to") and a sentence about it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


@dataclass(frozen=True, slots=True)
class Span:
    """From one UTC day to another, both included."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """When the first day begins."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """When the last day is over."""
        return datetime.combine(self.last, time(), UTC) + timedelta(days=1)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def values(self) -> Mapping[str, str]:
        """As the filter names it in an address."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


def span_of(first: date | None, last: date | None, *, today: date, per: str = "day") -> Span:
    """The span between two days, each of which may be left out.

    It then ends today, and begins `DAYS` before its end, or, for what is counted by the month, a year and a bit.
    Raises `SpanRefused` for days out of order, more than `DAYS_MAX` of them, and years that nobody means.
    """
    for field, day in (("from", first), ("to", last)):
        if day is not None and not EARLIEST <= day <= LATEST:
            raise SpanRefused(field, DAY_REFUSED)
    last = last or max(today, first or today)
    usual = last - timedelta(days=DAYS - 1) if per == "day" else date(last.year - 1, last.month, 1)
    span = Span(first or usual, last)
    if span.days < 1:
        raise SpanRefused("to", SPAN_REVERSED)
    if span.days > DAYS_MAX:
        raise SpanRefused("from", SPAN_TOO_LONG)
    return span


def day_of(text: str, *, field: str) -> date | None:
    """A day as a form sends it; None when nothing was written. Raises `SpanRefused`."""
    if not text.strip():
        return None
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - only the day is kept
    except ValueError:
        raise SpanRefused(field, DAY_REFUSED) from None
