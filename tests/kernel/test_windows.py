"""Windows: by the day, the calendar month, the billing period. Python and both databases follow the same rules."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import UtcDateTime, Words
from tenantry.kernel.sql import window_end as end_in_sql
from tenantry.kernel.sql import window_start as start_in_sql
from tenantry.kernel.windows import MONTH_MAX, window_end, window_start

TICK = timedelta(microseconds=1)
FIRST, LAST = datetime(2023, 1, 1), datetime(2034, 1, 1)  # noqa: DTZ001 - hypothesis wants them so, and gives UTC

moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
_asked = (
    param("per", Words()),
    param("at", UtcDateTime()),
    param("period_start", UtcDateTime()),
    param("period_end", UtcDateTime()),
)
_both = statement(
    select(start_in_sql(*_asked).label("start"), end_in_sql(*_asked).label("end")), lambda start, end: (start, end)
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(per: str, at: datetime, *period: datetime) -> tuple[datetime, datetime]:
    return window_start(per, at, *period), window_end(per, at, *period)


def starts(at: str, *period: str, number: int) -> list[str]:
    """When the windows began from the one that holds a day on."""
    found, moment, ends = [], day(at), [day(one) for one in period]
    for _ in range(number):
        start, end = window("month", moment, *ends)
        found.append(f"{start:%Y-%m-%d}")
        moment = end
    return found


def months_after(at: datetime, number: int) -> datetime:
    """Written otherwise than in the code: downwards from the 31st until there is such a day."""
    year, month = divmod(at.month - 1 + number, 12)
    for number_of_day in range(at.day, 0, -1):
        try:
            return at.replace(year=at.year + year, month=month + 1, day=number_of_day)
        except ValueError:
            continue
    raise AssertionError


@st.composite
def periods(draw: Any) -> tuple[datetime, datetime]:
    """Of a subscription whose day is kept (often one of the last of a month), or of any length."""
    anchor = draw(moments)
    if draw(st.booleans()):
        anchor = anchor.replace(month=1, day=draw(st.sampled_from([28, 29, 30, 31])))
    if draw(st.booleans()):
        length, passed = draw(st.sampled_from([1, 3, 6, 12, 24])), draw(st.integers(0, 30))
        return months_after(anchor, passed), months_after(anchor, passed + length)
    return anchor, anchor + draw(st.timedeltas(TICK, timedelta(days=900)))


@st.composite
def asked(draw: Any) -> tuple[str, datetime, tuple[datetime, ...]]:
    """A meter's `per`, a moment (often right at an edge), and a period or none."""
    period = draw(st.one_of(st.just(()), periods()))
    at = draw(moments)
    if period:
        near = st.timedeltas(timedelta(days=-70), timedelta(days=800))
        at = draw(st.sampled_from(period)) + draw(st.one_of(st.sampled_from([-TICK, timedelta(), TICK]), near))
    if draw(st.booleans()):
        at = window_end("month", at, *period) - draw(st.sampled_from([TICK, timedelta()]))
    return draw(st.sampled_from(["day", "month", "month", "month"])), at, period


@given(asked())
def test_windows_tile_the_time_without_gap_or_overlap(given_: tuple[str, datetime, tuple[datetime, ...]]) -> None:
    per, at, period = given_
    start, end = window(per, at, *period)
    assert start <= at < end
    for inside in (start, start + (end - start) / 2, end - TICK):
        assert window(per, inside, *period) == (start, end)
    assert window_start(per, end, *period) == end
    assert window_end(per, start - TICK, *period) == start


@given(asked())
def test_no_window_lasts_longer_than_a_month_but_a_period_that_is_one(
    given_: tuple[str, datetime, tuple[datetime, ...]],
) -> None:
    per, at, period = given_
    start, end = window(per, at, *period)
    if per == "day":
        assert (end - start, start.hour) == (timedelta(days=1), 0)
    elif period and period[1] - period[0] <= MONTH_MAX and period[0] <= at < period[1]:
        assert (start, end) == period
    elif period and end == period[1] and (end.month, end.day) == (2, 29):
        assert end - start <= MONTH_MAX
    else:
        assert end - start <= timedelta(days=31)


@given(asked())
def test_a_periods_ends_are_ends_of_windows(given_: tuple[str, datetime, tuple[datetime, ...]]) -> None:
    _, _, period = given_
    assume(period)
    for edge in period:
        assert window_start("month", edge, *period) == edge


@given(
    anchor=moments,
    on=st.sampled_from([None, 28, 29, 30, 31]),
    passed=st.integers(0, 30),
    late=st.timedeltas(timedelta(), timedelta(days=70)),
)
def test_a_renewal_that_is_told_late_finds_the_row_that_was_counted_in(
    anchor: datetime, on: int | None, passed: int, late: timedelta
) -> None:
    if on is not None:
        anchor = anchor.replace(month=1, day=on)
    edges = [months_after(anchor, passed + number) for number in range(5)]
    at = edges[1] + late
    assume(at < edges[4])
    current = next((one, other) for one, other in pairwise(edges) if one <= at < other)
    assert window("month", at, *edges[:2]) == window("month", at, *current) == current


@given(
    anchor=moments, leap=st.booleans(), passed=st.integers(0, 6), late=st.timedeltas(timedelta(), timedelta(days=330))
)
def test_so_does_a_year_that_is_renewed_months_late(anchor: datetime, leap: bool, passed: int, late: timedelta) -> None:
    if leap:
        anchor = anchor.replace(year=2024, month=2, day=29)
    edges = [months_after(anchor, 12 * (passed + number)) for number in range(3)]
    at = edges[1] + late
    assert window_start("month", at, *edges[:2]) == window_start("month", at, *edges[1:])


@pytest.mark.parametrize(
    ("at", "period", "expected"),
    [
        ("2026-01-31", (), ["2026-01-01", "2026-02-01", "2026-03-01"]),
        ("2028-02-29", (), ["2028-02-01", "2028-03-01", "2028-04-01"]),
        # The calendar's month ends where the period begins; a month's period is one window; then on by the month.
        ("2026-02-10", ("2026-03-15", "2026-04-15"), ["2026-02-01", "2026-03-01", "2026-03-15", "2026-04-15"]),
        ("2026-01-31", ("2026-01-31", "2026-02-28"), ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2026-02-28", ("2026-02-28", "2026-03-31"), ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2028-01-30", ("2028-01-30", "2028-02-29"), ["2028-01-30", "2028-02-29", "2028-03-30", "2028-04-30"]),
        # A week is a window of its own, and what comes after it, until it is known, a month.
        ("2026-03-01", ("2026-03-02", "2026-03-09"), ["2026-03-01", "2026-03-02", "2026-03-09", "2026-04-09"]),
        # A quarter and a year: by the month, the day kept, and the last one ends with them.
        ("2026-11-30", ("2026-11-30", "2027-02-28"), ["2026-11-30", "2026-12-30", "2027-01-30", "2027-02-28"]),
        ("2026-04-30", ("2026-04-30", "2026-07-31"), ["2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31"]),
        ("2028-12-31", ("2028-02-29", "2029-02-28"), ["2028-12-29", "2029-01-29", "2029-02-28", "2029-03-28"]),
        ("2027-12-31", ("2027-02-28", "2028-02-29"), ["2027-12-28", "2028-01-28", "2028-02-29", "2028-03-29"]),
        # A length that is no number of months: counted from its start, then from its end.
        ("2026-01-01", ("2026-01-01", "2026-02-15"), ["2026-01-01", "2026-02-01", "2026-02-15", "2026-03-15"]),
    ],
)  # fmt: skip
def test_where_months_begin(at: str, period: tuple[str, ...], expected: list[str]) -> None:
    assert starts(at, *period, number=len(expected)) == expected


def test_a_day_is_a_utc_day_whatever_the_period_is() -> None:
    at = datetime(2026, 3, 14, 1, 30, tzinfo=UTC)
    abroad = at.astimezone(ZoneInfo("America/New_York"))
    for period in ((), (day("2026-03-14T01:00"), day("2026-04-14T01:00"))):
        assert window("day", abroad, *period) == (day("2026-03-14"), day("2026-03-15"))


def test_other_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="per day or per month, not per week"):
        window_start("week", day("2026-03-14"))


many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(asked())
@example(("month", day("2028-02-29"), (day("2028-01-31"), day("2028-02-29"))))
@example(("month", day("2027-02-28"), (day("2026-11-30"), day("2027-02-28"))))
@example(("month", day("2028-02-28"), (day("2027-02-28"), day("2028-02-29"))))
@example(("month", day("2028-02-27"), (day("2027-02-28"), day("2028-02-29"))))
@example(("month", day("2025-04-05"), (day("2024-02-29"), day("2025-02-28"))))
async def test_the_databases_follow_the_same_rules(
    logins: Any, given_: tuple[str, datetime, tuple[datetime, ...]]
) -> None:
    per, at, period = given_
    start, end = period or (None, None)
    unit = logins.serving(writes=False)
    found = await unit.one(_both, per=per, at=at, period_start=start, period_end=end)
    assert found == window(per, at, *period)


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Apia"])
async def test_the_servers_time_zone_is_of_no_account(database: Any, zone: str) -> None:
    connection = await asyncpg.connect(database.owner_url)
    try:
        await connection.execute(f"SET TimeZone = '{zone}'")
        for at, period in hours(day("2026-03-07"), day("2026-02-08T07:30"), day("2026-03-08T07:30")):
            for per in ("day", "month"):
                found = await connection.fetchrow(
                    "SELECT tenantry.window_start($1, $2, $3, $4), tenantry.window_end($1, $2, $3, $4)",
                    per,
                    at,
                    *period,
                )
                assert tuple(found) == window(per, at, *period)
    finally:
        await connection.close()


def hours(first: datetime, *period: datetime) -> Iterator[tuple[datetime, tuple[datetime, datetime]]]:
    """The hours around the night in which America changes its clocks."""
    for number in range(48):
        yield first + timedelta(hours=number), (period[0], period[1])
