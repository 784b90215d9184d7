"""What is done with holders and plans."""

from datetime import datetime
from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Holder

from . import queries
from .errors import HolderNotFound, PlanUnknown
from .events import PeriodChanged, PlanChanged, PlanGranted


async def open_for_user(ctx: Context, user_id: UUID) -> UUID:
    """Make the holder of a new user, on the default plan; answers its id."""
    holder = new_id()
    await queries.create(ctx.db, holder, user_id=user_id, plan=ctx.product.default.name)
    return holder


async def set_plan(ctx: Context, holder_id: UUID, plan: str, *, source: str, reason: str) -> Holder:
    """Put a holder on a plan by hand. The current windows' limits move in the same transaction.

    A higher plan that is paid for stays in force, and this one stands when it ends; then the holder that is answered is
    as it was in between.

    Needs the service login. Raises `PlanUnknown` (also for a plan no longer declared) and `HolderNotFound`.
    """
    if plan not in {declared.name for declared in ctx.product.plans}:
        raise PlanUnknown(errors=[{"field": "plan", "message": f"unknown plan {plan}", "code": "unknown"}])
    granted = None if plan == ctx.product.default.name else plan
    holder = await queries.set_plan(ctx.db, holder_id, plan=plan, source=source, granted=granted)
    if holder is None:
        raise HolderNotFound
    await audit(ctx, "holder.plan_set", subject=("holder", holder_id), reason=reason, detail={"plan": plan})
    await ctx.emit(PlanChanged(holder_id, plan, holder.revision))
    await ctx.emit(PlanGranted(holder_id, plan))
    return holder


async def set_period(ctx: Context, holder_id: UUID, start: datetime | None, end: datetime | None) -> Holder:
    """Give a holder a billing period, by which its months are counted from now on; None and None take it away.

    The current windows move in the same transaction. Needs the service login; who calls it writes the audit entry.
    Raises `HolderNotFound`, and ValueError for half a period or one that does not end after it began.
    """
    if (start is None) != (end is None) or (start is not None and end is not None and end <= start):
        msg = f"a period begins and then ends: {start} to {end}"
        raise ValueError(msg)
    holder = await queries.set_period(ctx.db, holder_id, start=start, end=end)
    if holder is None:
        raise HolderNotFound
    await ctx.emit(PeriodChanged(holder_id, holder.revision))
    return holder
