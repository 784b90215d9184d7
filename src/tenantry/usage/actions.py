"""What is done with windows: their limits follow plans and periods, and old ones are deleted."""

from datetime import timedelta

from tenantry.holders import PeriodChanged, PlanChanged
from tenantry.kernel import Context
from tenantry.kernel.retention import forget

from . import queries
from .leases import Leases


async def follow_holder(ctx: Context, event: PlanChanged | PeriodChanged) -> None:
    """A holder's plan or period changed: its open windows follow in the same transaction.

    This process asks anew at the next call, the others within `LEASE_SECONDS`.
    """
    meters = ctx.product.meters
    await queries.counters.move_windows(ctx.db, event.holder_id, meters=meters, revision=event.revision)
    # Now that nothing is granted any more until the change is committed.
    ctx.port(Leases).expire(event.holder_id)


async def forget_old_windows(ctx: Context, _payload: dict[str, object]) -> None:
    """Delete windows older than the retention."""
    kept = timedelta(days=ctx.settings.usage_retention_days)
    await forget(ctx, queries.counters.EXPIRED, before=ctx.clock.now() - kept)
