"""The dashboard's card: today's quota and the last thirty days."""

from datetime import timedelta
from typing import Any

from fastapi import Request

from tenantry.kernel import Context
from tenantry.kernel.module import Panel

from . import queries

DAYS = 30


async def usage_values(ctx: Context, _request: Request) -> dict[str, Any]:
    """Each meter's current window, and for daily ones the days before, empty days included."""
    meters = []
    for meter in ctx.product.meters:
        found = await queries.standing(ctx.db, ctx.holder.id, meter.name, per=meter.per)
        if found is None:
            continue
        start = found.window_start - timedelta(days=DAYS - 1)
        past = await queries.history(ctx.db, ctx.holder.id, meter.name, since=start)
        used = {day.window_start: day.used for day in past}
        days = [(start + timedelta(days=number)) for number in range(DAYS)] if meter.per == "day" else []
        meters.append(
            {
                "meter": meter,
                "standing": found,
                "points": [(day, used.get(day, 0)) for day in days],
            }
        )
    return {"meters": meters}


USAGE_PANEL = Panel("usage", "usage/panel.html", usage_values, order=10)
