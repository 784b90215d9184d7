"""What is done with usage: admit a call or refuse it, and keep the windows' limits right."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.holders import PlanChanged
from tenantry.kernel import Context
from tenantry.product import Meter

from . import queries
from .errors import QuotaExceeded


class Decision(msgspec.Struct, frozen=True):
    """What `consume` decided. `limit` None: the plan sets none. `remaining` may be more by now, never less shown."""

    allowed: bool
    meter: str
    cost: int
    plan: str
    limit: int | None
    used: int
    remaining: int | None
    reset_at: datetime
    window_seconds: int


async def consume(ctx: Context, meter: Meter, cost: int = 1) -> Decision:
    """Count a call of the context's holder, in a unit of its own that commits before anything else happens.

    An admitted call counts whatever comes of it; a refused one consumes nothing. Raises `QuotaExceeded` (429).
    """
    decision = await decide(ctx, ctx.holder.id, meter, cost)
    if not decision.allowed:
        raise QuotaExceeded.of(decision, ctx.clock.now())
    return decision


async def decide(ctx: Context, holder_id: UUID, meter: Meter, cost: int = 1) -> Decision:
    """Like `consume`, for any holder, answering the refusal instead of raising it. `cost` is 1 or more units."""
    if cost < 1:
        msg = f"a call costs 1 unit or more, not {cost}"
        raise ValueError(msg)
    async with ctx.service() as working:
        count = await queries.consume(working.db, holder_id, meter.name, per=meter.per, cost=cost)
    if count is not None:
        plan = ctx.holder.plan if ctx.current_holder else ""
        return _decision(meter, cost, plan, count, allowed=True)
    async with ctx.service(writes=False) as reading:
        standing = await queries.standing(reading.db, holder_id, meter.name, per=meter.per)
    if standing is None:
        msg = f"holder {holder_id} does not exist"
        raise LookupError(msg)
    return _decision(meter, cost, standing.plan, standing, allowed=False)


async def follow_plan(ctx: Context, event: PlanChanged) -> None:
    """A holder's plan changed: its open windows follow in the same transaction."""
    await queries.move_limits(ctx.db, event.holder_id, plan=event.plan, revision=event.revision)


async def forget_old_windows(ctx: Context, _payload: dict[str, object]) -> None:
    """Delete windows older than the retention, a bounded batch per unit."""
    before = ctx.clock.now() - timedelta(days=ctx.settings.usage_retention_days)
    deleted = 1
    while deleted:
        async with ctx.service() as working:
            deleted = await queries.forget(working.db, before=before)


def _decision(
    meter: Meter, cost: int, plan: str, count: queries.Count | queries.Standing, *, allowed: bool
) -> Decision:
    limit = count.limit if isinstance(count, queries.Standing) else count.quota
    taken = count.used + count.leased
    return Decision(
        allowed=allowed,
        meter=meter.name,
        cost=cost,
        plan=plan,
        limit=limit,
        used=count.used,
        remaining=None if limit is None else max(0, limit - taken),
        reset_at=count.window_end,
        window_seconds=int((count.window_end - count.window_start).total_seconds()),
    )
