"""How long calls are kept: partitions made ahead and dropped by the day on PostgreSQL, rows deleted elsewhere."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from tenantry.kernel import Context
from tenantry.kernel.retention import forget

from .queries import partitions

DAYS_AHEAD = 7
"""As many days may pass without a worker before calls go to the default partition, where nothing is lost either."""


async def make_room(ctx: Context, _payload: dict[str, Any]) -> None:
    """Make the partitions of today and of the next days. Each in a transaction of its own, which waits for nobody."""
    if ctx.runtime.service.kind == "postgresql":
        today = _day(ctx.clock.now())
        for days in range(DAYS_AHEAD + 1):
            async with ctx.service() as working:
                await partitions.add(working.db, today + timedelta(days=days))


async def forget_calls(ctx: Context, _payload: dict[str, Any]) -> None:
    """Drop or delete calls older than the product keeps them, by whole UTC days, and hours as old as usage."""
    kept = ctx.product.keys.calls_kept if ctx.product.keys else timedelta()
    before, dropped = _day(ctx.clock.now() - kept), ctx.runtime.service.kind == "postgresql"
    while dropped:
        async with ctx.service() as working:
            dropped = await partitions.drop_one(working.db, before)
    # What is left lies in the default partition, or in SQLite's only one.
    await forget(ctx, partitions.EXPIRED_CALLS, before=before)
    hours_kept = timedelta(days=ctx.settings.usage_retention_days)
    await forget(ctx, partitions.EXPIRED_HOURS, before=ctx.clock.now() - hours_kept)


def _day(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC), time(), UTC)
