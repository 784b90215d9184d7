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
    """Like `consume`, for any holder, answering the refusal instead of raising it.

    `cost` is 1 or more units (ValueError). A meter that no plan declares, or a holder that does not exist, is a
    LookupError: an unknown meter has no limit in the database and must not pass for an unlimited one.
    """
    if cost < 1:
        raise ValueError(f"a call costs 1 unit or more, not {cost}")
    if meter not in ctx.product.meters:
        raise LookupError(f"no plan of {ctx.product.name} declares the meter {meter.name}")
    counted = await _count(ctx, holder_id, meter, cost)
    if counted is not None:
        return counted
    standing = await _standing(ctx, holder_id, meter)
    if standing.limit is None or standing.used + standing.leased + cost <= standing.limit:
        # It would fit: the window, or the plan, changed between the two looks. Once more, not for ever.
        counted = await _count(ctx, holder_id, meter, cost)
    return counted or _decision(meter, cost, standing.plan, standing, allowed=False)


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


async def _count(ctx: Context, holder_id: UUID, meter: Meter, cost: int) -> Decision | None:
    async with ctx.service() as working:
        count = await queries.consume(working.db, holder_id, meter.name, per=meter.per, cost=cost)
    if count is None:
        return None
    own = ctx.current_holder
    plan = own.plan if own and own.id == holder_id else (await _standing(ctx, holder_id, meter)).plan
    return _decision(meter, cost, plan, count, allowed=True)


async def _standing(ctx: Context, holder_id: UUID, meter: Meter) -> queries.Standing:
    async with ctx.service(writes=False) as reading:
        standing = await queries.standing(reading.db, holder_id, meter.name, per=meter.per)
    if standing is None:
        raise LookupError(f"holder {holder_id} does not exist")
    return standing


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
