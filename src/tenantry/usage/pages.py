"""`/usage`: how the reader stands on each meter, and what they used before."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Annotated
from urllib.parse import urlencode

from babel.dates import format_skeleton
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from tenantry.kernel import Context, Read
from tenantry.kernel.permissions import require_of_member
from tenantry.product import Meter, Product
from tenantry.web import gettext, mark, page

from .leases import Leases
from .permissions import USAGE_READ
from .queries import counters as queries
from .queries.history import PastWindow, history
from .spans import DAY_REFUSED, DAYS_MAX, Span, SpanRefused, day_of, span_of

ROWS_MAX = 31
"""Windows on one page of the table: a month of days."""
METER_REFUSED = mark("Choose one of the meters.")

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the filter's fields held, and what was wrong with them: field to sentence."""

    meter: str
    first: str
    last: str
    errors: dict[str, str]

    def type_of(self, field: str) -> str:
        """The input's type: a browser's date field would drop what is no day, and the reader is to see it again."""
        return "text" if self.errors.get(field) == DAY_REFUSED else "date"


@dataclass(frozen=True, slots=True)
class Past:
    """The windows that a filter shows: `points` for the chart, `rows` for this page of the table, newest first."""

    meter: Meter
    span: Span
    windows: list[PastWindow]
    points: list[tuple[date | str, int]]
    rows: list[PastWindow]
    number: int
    pages: int

    @property
    def file(self) -> str:
        """Where the same windows are to be had as a file."""
        return f"/v1/me/usage/export.csv?{urlencode({'meter': self.meter.name, **self.span.values})}"

    def at(self, number: int) -> str:
        """The address of another page of the table; "" where there is none."""
        if not 1 <= number <= self.pages:
            return ""
        return f"/usage?{urlencode({'meter': self.meter.name, **self.span.values, 'page': number})}#past"


@router.api_route("/usage", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_usage(
    ctx: Read,
    request: Request,
    meter: str = "",
    first: Annotated[str, Query(alias="from")] = "",
    last: Annotated[str, Query(alias="to")] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=DAYS_MAX)] = 1,
) -> HTMLResponse:
    """Show each meter's current window, and the windows of one meter that a filter names."""
    require_of_member(ctx, USAGE_READ)
    await ctx.port(Leases).settle(ctx.holder.id)
    standings = await queries.standings(ctx.db, ctx.holder.id, ctx.product.meters)
    asked, found = _read_filter(ctx, Asked(meter, first, last, {}))
    past = await _past(ctx, request, found, number) if found else None
    return page(
        request,
        "usage/usage.html",
        status=422 if asked.errors else 200,
        plan=ctx.product.plan(ctx.holder.plan),
        standings=standings,
        asked=asked,
        past=past,
        days_max=DAYS_MAX,
    )


def _read_filter(ctx: Context, asked: Asked) -> tuple[Asked, tuple[Meter, Span] | None]:
    """The fields as the form shows them again, and what they ask for; None when they are refused or nothing is."""
    product = ctx.product
    if not product.meters:
        return asked, None
    errors: dict[str, str] = {}
    meter = _meter_of(product, asked.meter)
    if meter is None:
        errors["meter"] = METER_REFUSED
    days = [_day(text, field, errors) for field, text in (("from", asked.first), ("to", asked.last))]
    try:
        span = span_of(*days, today=ctx.clock.now().date(), per=meter.per if meter else "day")
    except SpanRefused as refused:
        errors.setdefault(refused.field, refused.message)
    if meter is None or errors:
        return Asked(asked.meter, asked.first, asked.last, errors), None
    return Asked(meter.name, span.first.isoformat(), span.last.isoformat(), {}), (meter, span)


def _day(text: str, field: str, errors: dict[str, str]) -> date | None:
    try:
        return day_of(text, field=field)
    except SpanRefused as refused:
        errors[field] = refused.message
        return None


def _meter_of(product: Product, name: str) -> Meter | None:
    if not name:
        return product.meters[0]
    return next((meter for meter in product.meters if meter.name == name), None)


async def _past(ctx: Context, request: Request, asked: tuple[Meter, Span], number: int) -> Past:
    meter, span = asked
    windows = await history(ctx.db, ctx.holder.id, [meter.name], span)
    pages = max(1, ceil(len(windows) / ROWS_MAX))
    number = min(number, pages)
    newest = windows[::-1]
    return Past(
        meter=meter,
        span=span,
        windows=windows,
        points=points_of(meter, windows, span, locale=gettext(request).locale),
        rows=newest[(number - 1) * ROWS_MAX : number * ROWS_MAX],
        number=number,
        pages=pages,
    )


def points_of(meter: Meter, windows: list[PastWindow], span: Span, *, locale: str) -> list[tuple[date | str, int]]:
    """The bars of a chart: each day of the span, used or not; of months those that were used, by their names."""
    if not windows:
        return []
    if meter.per == "day":
        used = {one.window_start.date(): one.used for one in windows}
        days = (span.first + timedelta(days=number) for number in range(span.days))
        return [(day, used.get(day, 0)) for day in days]
    return [(_month(one, locale), one.used) for one in windows]


def _month(window: PastWindow, locale: str) -> date | str:
    first = window.window_start.date()
    # A billing period begins on any day of the month, and is called by it.
    return str(format_skeleton("yMMM", first, locale=locale)) if first.day == 1 else first
