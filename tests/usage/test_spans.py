"""Spans of days as a filter names them, and the lines of a file, without a database."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.usage.export import csv_of
from tenantry.usage.queries.history import PastWindow
from tenantry.usage.spans import DAYS_MAX, EARLIEST, LATEST, SPAN_TOO_LONG, SpanRefused, day_of, span_of

TODAY = date(2026, 3, 14)
DAYS = st.none() | st.dates(min_value=date(1990, 1, 1), max_value=date(2040, 1, 1)) | st.dates()


@pytest.mark.parametrize(
    ("first", "last", "per", "span"),
    [
        (None, None, "day", ("2026-02-13", "2026-03-14")),
        (None, None, "month", ("2025-03-01", "2026-03-14")),
        (None, date(2024, 2, 29), "month", ("2023-02-01", "2024-02-29")),
        (date(2026, 3, 1), None, "day", ("2026-03-01", "2026-03-14")),
        (date(2026, 4, 1), None, "day", ("2026-04-01", "2026-04-01")),
        (None, date(2026, 1, 31), "day", ("2026-01-02", "2026-01-31")),
    ],
    ids=str,
)
def test_what_is_left_out_is_filled_in(first, last, per, span):
    found = span_of(first, last, today=TODAY, per=per)
    assert (found.values["from"], found.values["to"]) == span


@given(first=DAYS, last=DAYS, per=st.sampled_from(["day", "month"]))
def test_a_span_is_short_and_in_order_or_refused_with_its_field(first, last, per):
    refused = None
    try:
        span = span_of(first, last, today=TODAY, per=per)
    except SpanRefused as error:
        refused = error
    if refused:
        assert {"from": first, "to": last}[refused.field] is not None or per == "month"
    else:
        assert 1 <= span.days <= DAYS_MAX
        assert span.until - span.since == timedelta(days=span.days)


def test_the_limit_is_the_one_that_is_told():
    assert str(DAYS_MAX) in SPAN_TOO_LONG
    with pytest.raises(SpanRefused, match=SPAN_TOO_LONG):
        span_of(TODAY - timedelta(days=DAYS_MAX), TODAY, today=TODAY)
    assert span_of(TODAY - timedelta(days=DAYS_MAX - 1), TODAY, today=TODAY).days == DAYS_MAX


@pytest.mark.parametrize("day", [EARLIEST - timedelta(days=1), LATEST + timedelta(days=1), date.min, date.max])
def test_a_year_that_nobody_means_is_refused(day):
    for first, last in ((day, None), (None, day)):
        with pytest.raises(SpanRefused):
            span_of(first, last, today=TODAY)


@pytest.mark.parametrize("text", ["20260314", "2026-W11-6", "14.3.2026", "2026-02-30", "2026-03-14T00:00", "soon", "٢"])
def test_a_day_is_written_one_way(text):
    with pytest.raises(SpanRefused) as refused:
        day_of(text, field="from")
    assert refused.value.field == "from"
    assert day_of(" 2026-03-14 ", field="from") == TODAY
    assert day_of(" ", field="from") is None


def test_a_line_is_safe_for_spreadsheets_and_has_utc_times():
    start = datetime(2026, 3, 14, 1, 30, tzinfo=timezone(timedelta(hours=1, minutes=30)))
    windows = [
        PastWindow('=HYPERLINK("x")', start, start + timedelta(days=1), 1, None),
        PastWindow("a, b", datetime(2026, 3, 14, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC), 2, 3),
    ]
    assert csv_of(windows).split("\r\n") == [
        "meter,window_start,window_end,used,limit",
        '"\'=HYPERLINK(""x"")",2026-03-14T00:00:00Z,2026-03-15T00:00:00Z,1,',
        '"a, b",2026-03-14T00:00:00Z,2026-03-15T00:00:00Z,2,3',
        "",
    ]
