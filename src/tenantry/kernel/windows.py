"""Usage windows: UTC days, calendar months, and the months of a billing period.

The databases compute them, by these same rules in SQL (`database/guards.py`); a test compares them.

A day is a UTC day. A month is:
- without a period, and before it begins: the calendar month, which ends at once where the period begins;
- in a period of at most 32 days: the period itself;
- in a longer one, a year: a month counted from its start; the last one ends with the period;
- after its end, while the next one is not known yet: a month counted on from that end. The next period begins with one
  of these, so what is counted in it stays counted.
Months are counted with the day of the month kept: the 31st, the 30th of April, the 31st again. A year's period only
tells the day it begins on: of one from the 29th of February nothing tells, in the next, that it was the 29th. So a year
counts from its own start, what comes after it from its end, and the month before a 29th of February is a day longer.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

MONTH_MAX = timedelta(days=32)
"""A period up to this long is one window."""


def window_start(
    per: str, at: datetime, period_start: datetime | None = None, period_end: datetime | None = None
) -> datetime:
    """When the window that holds `at` began; `per` is "day" or "month". The period has both its ends or neither."""
    return _edge(per, at.astimezone(UTC), period_start, period_end, 0)


def window_end(
    per: str, at: datetime, period_start: datetime | None = None, period_end: datetime | None = None
) -> datetime:
    """When that window ends, which is when the next begins."""
    return _edge(per, at.astimezone(UTC), period_start, period_end, 1)


def _edge(per: str, at: datetime, start: datetime | None, end: datetime | None, nth: int) -> datetime:
    """The beginning (`nth` 0) or the end (1) of the window that holds `at`."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        return midnight + timedelta(days=nth)
    if per != "month":
        msg = f"a window is per day or per month, not per {per}"
        raise ValueError(msg)
    if start is None or end is None:
        return _months_after(midnight.replace(day=1), nth)
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if at < start:
        return min(_months_after(midnight.replace(day=1), nth), start)
    if at < end and end - start <= MONTH_MAX:
        return end if nth else start
    anchor = _anchor(at, start, end)
    passed = _months_between(anchor, at)
    if _months_after(anchor, passed) > at:
        passed -= 1
    if at >= end:
        return _months_after(anchor, passed + nth)
    whole = _months_between(start, end)
    if whole % 12 == 0 and _months_after(end, -whole) == start:
        # The last day before a 29th of February is no month of its own.
        passed = min(passed, whole - 1)
        return end if passed + nth == whole else _months_after(anchor, passed + nth)
    return min(_months_after(anchor, passed + nth), end)


def _anchor(at: datetime, start: datetime, end: datetime) -> datetime:
    """Where the months are counted from: an end of the period that all of it can be counted from.

    From the 28th of February to the 31st of March only the latter tells which day is meant.
    """
    months = _months_between(start, end)
    if months % 12 == 0:
        return end if at >= end else start
    if _months_after(start, months) == end:
        return start
    return end if at >= end or _months_after(end, -months) == start else start


def _months_between(one: datetime, other: datetime) -> int:
    return (other.year - one.year) * 12 + other.month - one.month


def _months_after(at: datetime, months: int) -> datetime:
    """The same day of another month, or that month's last day."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))
