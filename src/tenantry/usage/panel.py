"""The dashboard's cards: the plan, each meter's current window, and the last thirty days of daily ones."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel
from tenantry.product import Meter

from .leases import Leases
from .queries import counters as queries
from .rows import Standing

DAYS = 30


@dataclass(frozen=True, slots=True)
class MeterCard:
    """One meter's current window and its last days; `points` is empty for meters that are not counted by the day."""

    meter: Meter
    standing: Standing
    points: list[tuple[date, int]]


async def usage_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """The plan in force and a card for each meter; days without a call are in the chart too."""
    await ctx.port(Leases).settle(ctx.holder.id)
    standings = await queries.standings(ctx.db, ctx.holder.id, ctx.product.meters)
    cards = [await _card(ctx, meter, standing) for meter, standing in standings.items()]
    return {"plan": ctx.product.plan(ctx.holder.plan), "cards": cards}


async def _card(ctx: Context, meter: Meter, standing: Standing) -> MeterCard:
    if meter.per != "day":
        return MeterCard(meter, standing, [])
    since = standing.window_start - timedelta(days=DAYS - 1)
    past = await queries.history(ctx.db, ctx.holder.id, meter.name, since=since)
    used = {window.window_start.date(): window.used for window in past}
    days = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return MeterCard(meter, standing, [(day, used.get(day, 0)) for day in days])


USAGE_PANEL = Panel("usage", "usage/panel.html", usage_values, order=10)
