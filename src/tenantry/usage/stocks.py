"""What a holder keeps: gauges (stored bytes) and counts (rows). A door of its own, beside that of the room.

Both are checked in the caller's unit on the service login, so that what is kept and what is counted are committed
together. Where a unit does both it counts rows first and changes gauges then: in one order nobody waits in a circle.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from tenantry.holders import HolderNotFound
from tenantry.kernel import Context
from tenantry.kernel.policies import Role
from tenantry.product import Count, Gauge

from .errors import LimitReached
from .queries import stocks as queries

CHANGE_MAX = 10**15
"""Of a gauge, at a time: a petabyte."""


async def change_gauge(ctx: Context, gauge: Gauge, by: int, *, holder_id: UUID | None = None) -> int:
    """Change a level in the open unit: more with what is stored, less with what is deleted; answers the new level.

    For the context's holder, or another. More than the plan allows raises `LimitReached` (409), and nothing has
    changed. Above the limit, after a change of plan, nothing more is admitted, and what makes less always is. Taking
    away more than there is raises ValueError: something was counted twice, or never.
    """
    if gauge not in ctx.product.gauges:
        msg = f'no plan limits the gauge "{gauge.name}"; add it to the limits of the plans'
        raise LookupError(msg)
    if abs(by) > CHANGE_MAX:
        msg = f"a gauge is changed by {CHANGE_MAX} at most, not by {by}"
        raise ValueError(msg)
    holder = holder_id or ctx.holder.id
    change = queries.raise_level if by > 0 else queries.lower_level
    changed = await change(ctx.db, holder, gauge.name, by)
    if changed is not None:
        return changed
    found = await queries.level(ctx.db, holder, gauge.name)
    if found is None:
        raise HolderNotFound(internal=f"holder {holder} does not exist")
    if by > 0:
        raise LimitReached.of_gauge(gauge, found, by)
    if by == 0:
        return found.value
    msg = f'the gauge "{gauge.name}" stands at {found.value} {gauge.unit}; {-by} cannot be taken away'
    raise ValueError(msg)


async def move_gauges(ctx: Context, holder_id: UUID, to: UUID) -> None:
    """Another holder keeps from now on what one kept: all its levels, in the open unit, also above that one's limit.

    Above it nothing more is admitted, as after a change of plan. Needs the service login.
    """
    await queries.move(ctx.db, holder_id, to)


async def refuse_when_full(
    ctx: Context,
    count: Count,
    present: Callable[[Context], Awaitable[int]],
    *,
    more: int = 1,
    holder_id: UUID | None = None,
) -> None:
    """Let `more` rows be written in the open unit, or raise `LimitReached` (409).

    For the context's holder, or another. `present` counts the rows there are, in this unit; it is asked once nobody
    else can be counting rows of this holder, and not at all where the plan sets no limit. Write the rows in the same
    unit: until it ends others wait. It is a unit on the service login, because only that may lock a holder.
    """
    if count not in ctx.product.counts:
        msg = f'no plan limits the count "{count.name}"; add it to the limits of the plans'
        raise LookupError(msg)
    unit = ctx.db
    if unit.identity.role is not Role.SERVICE or not unit.writes:
        msg = "rows are counted in a writing unit on the service login: take `ctx: Service`, or ctx.service()"
        raise RuntimeError(msg)
    holder = holder_id or ctx.holder.id
    plan = await queries.lock_holder(unit, holder)
    if plan is None:
        raise HolderNotFound(internal=f"holder {holder} does not exist")
    # Only now: whoever was waited for may have changed the plan.
    limit = await queries.limit_of_rows(unit, plan, count.name)
    if limit is None:
        return
    value = await present(ctx)
    if more and value + more > limit:
        raise LimitReached.of_count(count, queries.Level(plan, limit, value), more)
