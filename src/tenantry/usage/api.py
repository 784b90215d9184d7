"""`/v1/me/usage`: how the caller stands, now and in the past."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from tenantry.kernel import Read, problems
from tenantry.kernel.problems import NotFound, Unauthenticated
from tenantry.product import Meter, Product

from .leases import Leases
from .queries import counters as queries
from .rows import Standing

router = APIRouter(prefix="/v1/me/usage", tags=["usage"])


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


class PastWindow(BaseModel):
    """One window that had at least one call."""

    window_start: datetime
    used: int
    limit: int | None


class History(BaseModel):
    """Past windows, oldest first."""

    meter: str
    items: list[PastWindow]
    next_cursor: None = None


@router.get("", responses=problems(Unauthenticated))
async def read_usage(ctx: Read) -> Usage:
    """Answer the current window of every meter of the caller's plan."""
    await ctx.port(Leases).settle(ctx.holder.id)
    found = await queries.standings(ctx.db, ctx.holder.id, ctx.product.meters)
    return Usage(plan=ctx.holder.plan, items=[_meter_usage(meter, one) for meter, one in found.items()])


@router.get("/{meter}/history", responses=problems(Unauthenticated, NotFound))
async def read_history(ctx: Read, meter: str, days: Annotated[int, Query(ge=1, le=400)] = 30) -> History:
    """Answer the windows of one meter that began in the last `days` days."""
    known = _meter_named(ctx.product, meter)
    await ctx.port(Leases).settle(ctx.holder.id)
    since = ctx.clock.now() - timedelta(days=days)
    past = await queries.history(ctx.db, ctx.holder.id, known.name, since=since)
    items = [PastWindow(window_start=one.window_start, used=one.used, limit=one.quota) for one in past]
    return History(meter=known.name, items=items)


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
