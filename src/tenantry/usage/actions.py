"""What is done with usage: admit a call or refuse it, and keep the windows' limits right."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.holders import PlanChanged
from tenantry.kernel import Context
from tenantry.product import Meter

from . import queries
from .errors import QuotaExceeded
from .rows import Counter, Standing


class Decision(msgspec.Struct, frozen=True):
    """What `consume` decided, for the holder it was asked about. `limit` None: the plan sets none.

    `remaining` may be more by now, never less shown. `waiting_helps`: a call of this cost fits in the next window.
    """

    allowed: bool
    meter: str
    cost: int
    plan: str
    limit: int | None
    used: int
    remaining: int | None
    reset_at: datetime
    window_seconds: int
    waiting_helps: bool


async def consume(ctx: Context, meter: Meter, cost: int = 1) -> Decision:
    """Count a call of the context's holder, in a unit of its own that commits before anything else happens.

    An admitted call counts whatever comes of it; a refused one consumes nothing. Raises `QuotaExceeded` (429).
    """
    decision = await decide(ctx, ctx.holder.id, meter, cost)
    if not decision.allowed:
        raise QuotaExceeded.of(decision, ctx.clock.now())
    return decision


async def decide(ctx: Context, holder_id: UUID, meter: Meter, cost: int = 1) -> Decision:
    """Like `consume`, for any holder, answering the refusal instead of raising it. `cost` is 1 or more units.

    A holder that does not exist and a meter that no plan of the product limits raise LookupError.
    """
    if cost < 1:
        msg = f"a call costs 1 unit or more, not {cost}"
        raise ValueError(msg)
    if meter not in ctx.product.meters:
        msg = f'no plan limits the meter "{meter.name}" per {meter.per}; add it to the limits of the plans'
        raise LookupError(msg)
    found = await _count(ctx, holder_id, meter, cost)
    if isinstance(found, Standing) and found.holds(cost):
        # Between the two units midnight came or the plan changed: what was read is not what refused.
        found = await _count(ctx, holder_id, meter, cost)
    return _decision(meter, cost, found)


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


async def _count(ctx: Context, holder_id: UUID, meter: Meter, cost: int) -> Counter | Standing:
    async with ctx.service(single=True) as working:
        counter = await queries.consume(working.db, holder_id, meter.name, per=meter.per, cost=cost)
    if counter is not None:
        return counter
    async with ctx.service(writes=False) as reading:
        standing = await queries.standing(reading.db, holder_id, meter.name, per=meter.per)
    if standing is None:
        msg = f"holder {holder_id} does not exist"
        raise LookupError(msg)
    return standing


def _decision(meter: Meter, cost: int, found: Counter | Standing) -> Decision:
    return Decision(
        allowed=isinstance(found, Counter),
        meter=meter.name,
        cost=cost,
        plan=found.plan,
        limit=found.quota if isinstance(found, Counter) else found.limit,
        used=found.used,
        remaining=found.remaining,
        reset_at=found.window_end,
        window_seconds=int((found.window_end - found.window_start).total_seconds()),
        waiting_helps=isinstance(found, Counter) or found.next_holds(cost),
    )
