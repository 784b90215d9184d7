"""The plan and period that billing writes. A door of its own, beside that of the room, for who keeps subscriptions."""

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.context import Holder

from . import queries
from .errors import HolderNotFound
from .events import PeriodChanged, PlanChanged, PlanGranted

__all__ = ["Billed", "PlanGranted", "set_billed"]


class Billed(msgspec.Struct, frozen=True):
    """What a holder has by what is paid: a plan, until a time the plan `after` it follows, and a period to count by."""

    plan: str
    source: str
    until: datetime | None = None
    after: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


async def set_billed(ctx: Context, holder_id: UUID, billed: Billed) -> Holder:
    """Write it in one statement, and tell what changed. The current windows move in the same transaction.

    Needs the service login, in a unit that has locked the holder; who calls it writes the audit entry, and leaves it
    when nothing changes. Raises `HolderNotFound`.
    """
    holder = await queries.set_billed(
        ctx.db,
        holder_id,
        plan=billed.plan,
        plan_source=billed.source,
        plan_until=billed.until,
        plan_after=billed.after,
        period_start=billed.period_start,
        period_end=billed.period_end,
    )
    if holder is None:
        raise HolderNotFound
    await ctx.emit(PlanChanged(holder_id, holder.plan, holder.revision))
    await ctx.emit(PeriodChanged(holder_id, holder.revision))
    return holder
