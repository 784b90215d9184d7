"""The dashboard's cards: the plan, each meter's current window, and the last thirty days of daily ones."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel
from tenantry.kernel.permissions import member_may
from tenantry.product import Meter

from .leases import Leases
from .permissions import USAGE_READ
from .queries import counters as queries
from .queries.history import PastWindow, history
from .rows import Standing
from .spans import DAYS, Span


@dataclass(frozen=True, slots=True)
class MeterCard:
    """One meter's current window and its last days; `points` is empty for meters that are not counted by the day."""

    meter: Meter
    standing: Standing
    points: list[tuple[date, int]]


async def usage_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """The plan in force and a card for each meter; days without a call are in the chart too."""
    plan = ctx.product.plan(ctx.holder.plan)
    if not member_may(ctx, USAGE_READ):
        return {"plan": plan, "cards": []}
    await ctx.port(Leases).settle(ctx.holder.id)
    standings = await queries.standings(ctx.db, ctx.holder.id, ctx.product.meters)
    return {"plan": plan, "cards": await _cards(ctx, standings)}


async def _cards(ctx: Context, standings: dict[Meter, Standing]) -> list[MeterCard]:
    daily = [(meter, standing) for meter, standing in standings.items() if meter.per == "day"]
    past: list[PastWindow] = []
    if daily:
        today = daily[0][1].window_start.date()
        span = Span(today - timedelta(days=DAYS - 1), today)
        past = await history(ctx.db, ctx.holder.id, [meter.name for meter, _ in daily], span)
    used = {(one.meter, one.window_start.date()): one.used for one in past}
    return [MeterCard(meter, standing, _points(meter, standing, used)) for meter, standing in standings.items()]


def _points(meter: Meter, standing: Standing, used: dict[tuple[str, date], int]) -> list[tuple[date, int]]:
    if meter.per != "day":
        return []
    today = standing.window_start.date()
    days = [today - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    return [(day, used.get((meter.name, day), 0)) for day in days]


USAGE_PANEL = Panel("usage", "usage/panel.html", usage_values, order=10)
