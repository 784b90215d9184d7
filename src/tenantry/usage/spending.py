"""Counting calls: `consume`, and the two halves of it for whoever asks at every call and knows the time already."""

from typing import cast
from uuid import UUID

from tenantry.holders import HolderNotFound
from tenantry.kernel import Context
from tenantry.kernel.context import Holder, Resolved
from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.problems import DatabaseUnavailable, Unauthenticated
from tenantry.product import Meter

from . import queries
from .bursts import keep_pace, keep_pace_of
from .errors import QuotaExceeded
from .leases import Leases
from .rows import Decision
from .uncounted import Uncounted

COST_MAX = 10**12
"""Units of one call."""


async def consume(ctx: Context, meter: Meter, cost: int = 1, *, by: Resolved | None = None) -> Decision:
    """Count a call of the context's holder, in a unit of its own that commits before anything else happens.

    An admitted call counts whatever comes of it; a refused one consumes nothing. Raises `BurstExceeded` (429) when it
    comes faster than the plan allows, then `QuotaExceeded` (429). While the database is away: `DatabaseUnavailable`
    (503), or for a meter with `fail_open` a decision that is not `counted`.

    `by`: a caller who is known, instead of the context's. A key whose tier is below its holder's plan is bounded by the
    tier: by its pace, and by its limit on what the holder has used in the window. What other processes counted within
    the last second may be missing from that bound; the holder's own quota is exact.
    """
    return spend(ctx, meter, cost, by, ctx.runtime.clock.monotonic()) or await ask(ctx, meter, cost, by)


def spend(ctx: Context, meter: Meter, cost: int, by: Resolved | None, now: float) -> Decision | None:
    """The first half of `consume`, which decides nearly every call: the pace, and what is held here, at the time `now`.

    None: the pace was kept, and the rest is to be asked with `ask`.
    """
    runtime = ctx.runtime
    product = runtime.product
    if by is None or by.holder is None:
        holder, tier = ctx.holder, ctx.actor.tier
        keep_pace(ctx)
    else:
        holder, tier = by.holder, by.actor.tier
        if product.plan(holder.plan).burst is not None:
            keep_pace_of(ctx, holder, tier, now)
    refuse_while_open("a call was counted")
    if type(cost) is not int or not 0 < cost <= COST_MAX:
        return None
    most = None if tier is None else product.limit(tier, meter)
    decision = runtime.port(Leases).at_hand(ctx, holder.id, meter, cost, most, now)
    # A refusal or a bound is put in words; most calls need neither.
    if decision is None or (tier is None and decision.allowed):
        return decision
    return _told(ctx, decision, tier, most)


async def ask(ctx: Context, meter: Meter, cost: int, by: Resolved | None) -> Decision:
    """The second half of `consume`: what `spend` left open is decided by the database. The pace is not kept again.

    Raises `Unauthenticated` for a holder that has just been deleted.
    """
    caller = Resolved(ctx.actor, ctx.holder) if by is None or by.holder is None else by
    holder, tier = cast("Holder", caller.holder), caller.actor.tier
    most = None if tier is None else ctx.product.limit(tier, meter)
    try:
        decision = await decide(ctx, holder.id, meter, cost, most=most)
    except HolderNotFound:
        # Deleted in this moment, with its organization: who shows its key or session now is nobody.
        raise Unauthenticated from None
    except DatabaseUnavailable:
        if not meter.fail_open:
            raise
        return ctx.port(Uncounted).admit(ctx, holder.plan, meter, cost)
    return _told(ctx, decision, tier, most)


async def decide(ctx: Context, holder_id: UUID, meter: Meter, cost: int = 1, *, most: int | None = None) -> Decision:
    """Like `consume`, for any holder, answering the refusal instead of raising it. `cost` is 1 to 10**12 units.

    A holder that does not exist and a meter that no plan of the product limits raise LookupError. Inside an open unit
    of work it is refused (RuntimeError): the call counts apart from it, and on SQLite each would wait for the other.
    The plan's burst is not asked: it is about who calls, and this is about who pays. `most`: refused is also a call
    with which the holder would have used more than that in the window, as far as this process knows.
    """
    refuse_while_open("a call was counted")
    # A fraction would reach the database, and fail with it the calls of others that are asked for along with it.
    if not isinstance(cost, int) or not 1 <= cost <= COST_MAX:
        msg = f"a call costs 1 to {COST_MAX} units, not {cost}"
        raise ValueError(msg)
    if meter not in ctx.product.limited:
        msg = f'no plan limits the meter "{meter.name}" per {meter.per}; add it to the limits of the plans'
        raise LookupError(msg)
    decision = await ctx.port(Leases).take(ctx, holder_id, meter, cost, most)
    return decision or await _uncounted(ctx, holder_id, meter, cost)


def _told(ctx: Context, decision: Decision, tier: str | None, most: int | None) -> Decision:
    """The decision as who called is told it. Raises `QuotaExceeded` for a refusal."""
    if tier is not None and most is not None:
        decision = decision.within(tier, most)
    if not decision.allowed:
        raise QuotaExceeded.of(decision, ctx.clock.now(), ctx.product.plan(decision.plan).burst)
    return decision


async def _uncounted(ctx: Context, holder_id: UUID, meter: Meter, cost: int) -> Decision:
    """The refusal for a plan that does not name the meter: nothing is counted there, so there is no row."""
    async with ctx.service(writes=False) as reading:
        found = await queries.counters.standing(reading.db, holder_id, meter.name, per=meter.per)
    if found is None:
        raise HolderNotFound(internal=f"holder {holder_id} does not exist")
    return found.refusal(meter.name, cost)
