"""What credits do by the clock. Nothing waits for it: whoever reads or spends counts what has expired out already."""

from datetime import timedelta
from typing import Any

from tenantry.kernel import Context
from tenantry.kernel.retention import forget

from . import queries
from .granting import find, write

ROUNDS_MAX = 50


async def expire_credits(ctx: Context, _payload: dict[str, Any]) -> None:
    """Write out what has expired, each holder's in a unit of its own, and end the reservations whose time is over."""
    for _ in range(ROUNDS_MAX):
        async with ctx.service(writes=False) as reading:
            due = await queries.due(reading.db)
        for holder_id in due:
            async with ctx.service() as working:
                book = await find(working, holder_id)
                if book is not None:
                    await write(working, holder_id, book)
        async with ctx.service(single=True) as working:
            ended = await queries.expire_reservations(working.db)
        if not due and ended < queries.DUE_MAX:
            return


async def forget_reservations(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete reservations that ended longer ago than usage is kept. The ledger stays."""
    kept = timedelta(days=ctx.settings.usage_retention_days)
    await forget(ctx, queries.GONE_RESERVATIONS, before=ctx.clock.now() - kept)
