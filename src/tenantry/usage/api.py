"""`/v1/me/usage`: how the caller stands, now and in the past."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel

from tenantry.kernel import Context, Read, problems
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.problems import Invalid, NotFound, RoleRefused, Unauthenticated
from tenantry.product import Meter, Product

from .export import usage_file
from .leases import Leases
from .permissions import USAGE_READ
from .queries import counters as queries
from .queries.history import history_page
from .rows import Standing
from .spans import DAYS_MAX, Span, SpanRefused, span_of

router = APIRouter(prefix="/v1/me/usage", tags=["usage"])


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


From = Annotated[
    date | None, Query(alias="from", description="The first UTC day; else 30 days, or a year for what counts by month.")
]
To = Annotated[date | None, Query(alias="to", description="The last UTC day, included; else today. 400 days at most.")]
Days = Annotated[int | None, Query(ge=1, le=DAYS_MAX, description="So many up to today, in place of from and to.")]
Cursor = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class AskedDays(NamedTuple):
    """Which days a history is asked for: both ends, or how many."""

    first: date | None
    last: date | None
    days: int | None


async def _asked_days(first: From = None, last: To = None, days: Days = None) -> AskedDays:
    return AskedDays(first, last, days)


class MeterUsage(BaseModel):
    """One meter's current window. `limit` and `remaining` null: the plan sets no limit."""

    meter: str
    per: str
    used: int
    limit: int | None
    remaining: int | None
    window_start: datetime
    reset_at: datetime


class Usage(BaseModel):
    """The plan and how far each of its meters is used."""

    plan: str
    items: list[MeterUsage]
    next_cursor: None = None


class PastUsage(BaseModel):
    """One window that had at least one call. `limit` null: the plan set none."""

    window_start: datetime
    window_end: datetime
    used: int
    limit: int | None


class History(BaseModel):
    """Past windows, oldest first. `next_cursor` leads to those after them; null when there are none."""

    meter: str
    items: list[PastUsage]
    next_cursor: datetime | None


@router.get("", responses=problems(RoleRefused, Unauthenticated))
async def read_usage(ctx: Read) -> Usage:
    """Answer the current window of every meter of the caller's plan."""
    require_of_member(ctx, USAGE_READ)
    await ctx.port(Leases).settle(ctx.holder.id)
    found = await queries.standings(ctx.db, ctx.holder.id, ctx.product.meters)
    return Usage(plan=ctx.holder.plan, items=[_meter_usage(meter, one) for meter, one in found.items()])


@router.get(
    "/export.csv",
    response_class=Response,
    responses=problems(Invalid, RoleRefused, Unauthenticated)
    | {
        200: {
            "description": "A header and a line for each window that was used, by meter and then oldest first. "
            "An empty limit: the plan set none.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "meter,window_start,window_end,used,limit\r\n"
                    "requests,2026-03-13T00:00:00Z,2026-03-14T00:00:00Z,37,100\r\n",
                }
            },
        }
    },
)
async def export_usage(
    ctx: Read,
    meter: Annotated[str | None, Query(description="One meter; else all of them.")] = None,
    first: From = None,
    last: To = None,
) -> Response:
    """Answer the windows that reach into some days as a CSV file (RFC 4180, UTF-8, times in UTC)."""
    require_of_member(ctx, USAGE_READ)
    known = [one for one in ctx.product.meters if meter in {None, one.name}]
    if not known and meter is not None:
        raise _refused("meter", "There is no meter of this name.", "unknown")
    span = _asked_span(ctx, AskedDays(first, last, None), per=known[0].per if meter is not None else "day")
    await ctx.port(Leases).settle(ctx.holder.id)
    name, text = await usage_file(ctx.db, ctx.holder.id, [one.name for one in known], span)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/{meter}/history", responses=problems(Invalid, NotFound, RoleRefused, Unauthenticated))
async def read_history(
    ctx: Read,
    meter: str,
    asked: Annotated[AskedDays, Depends(_asked_days)],
    limit: Annotated[int, Query(ge=1, le=DAYS_MAX)] = DAYS_MAX,
    cursor: Cursor | None = None,
) -> History:
    """Answer the windows of one meter that reach into some days; without a filter into the last 30, or a year."""
    require_of_member(ctx, USAGE_READ)
    known = _meter_named(ctx.product, meter)
    span = _asked_span(ctx, asked, per=known.per)
    await ctx.port(Leases).settle(ctx.holder.id)
    found = await history_page(ctx.db, ctx.holder.id, known.name, span, after=cursor, limit=limit + 1)
    shown = found[:limit]
    return History(
        meter=known.name,
        items=[
            PastUsage(window_start=one.window_start, window_end=one.window_end, used=one.used, limit=one.limit)
            for one in shown
        ],
        next_cursor=shown[-1].window_start if len(found) > limit else None,
    )


def _asked_span(ctx: Context, asked: AskedDays, *, per: str) -> Span:
    today = ctx.clock.now().date()
    if asked.days is not None:
        if asked.first is not None or asked.last is not None:
            raise _refused("days", "Give either days, or from and to.", "either_or")
        return Span(today - timedelta(days=asked.days - 1), today)
    try:
        return span_of(asked.first, asked.last, today=today, per=per)
    except SpanRefused as refused:
        raise _refused(refused.field, refused.message, "span") from None


def _refused(field: str, message: str, code: str) -> Invalid:
    return Invalid(errors=[{"field": f"query.{field}", "message": message, "code": code}])


def _meter_named(product: Product, name: str) -> Meter:
    try:
        return product.meter(name)
    except KeyError:
        raise NotFound("There is no meter of this name.") from None


def _meter_usage(meter: Meter, found: Standing) -> MeterUsage:
    return MeterUsage(
        meter=meter.name,
        per=meter.per,
        used=found.used,
        limit=found.limit,
        remaining=found.remaining,
        window_start=found.window_start,
        reset_at=found.window_end,
    )
