"""Bringing a holder to what all its subscriptions give: one read, and a write only where something differs.

One of its plan and period, and one of its person's role and status.
"""

from uuid import UUID

from tenantry.holders.billed import Billed, set_billed
from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.product import Billing

from .events import HolderBilled
from .membership import follow
from .queries import owners
from .standing import Standing, standing


async def recompute(ctx: Context, holder_id: UUID) -> Standing | None:
    """Make a locked holder's plan and period what its subscriptions and what was granted give; None when it is gone.

    Whoever calls this has locked the holder in this unit before it wrote: two who each change one subscription of a
    holder would else both decide without the other's.
    """
    found = await owners.held(ctx.db, holder_id)
    if found is None:
        return None
    was, subscriptions = found
    gives = standing(ctx.product, billing_of(ctx), subscriptions, granted=was.granted, now=was.at)
    billed = Billed(gives.plan, _source(gives, was), gives.until, gives.after, gives.period_start, gives.period_end)
    if billed != Billed(was.plan, was.source, was.until, was.after, was.period_start, was.period_end):
        await set_billed(ctx, holder_id, billed)
        if was.plan != billed.plan:
            detail = {"plan": billed.plan, "before": was.plan}
            await audit(ctx, "billing.plan_set", subject=("holder", holder_id), reason="subscriptions", detail=detail)
    await follow(ctx, billing_of(ctx), was, subscriptions)
    await ctx.emit(HolderBilled(holder_id, billed.plan))
    return gives


def billing_of(ctx: Context) -> Billing:
    """What the product says about billing; a product without it has no room of that name."""
    if ctx.product.billing is None:
        msg = "this product declares no billing"
        raise RuntimeError(msg)
    return ctx.product.billing


def _source(gives: Standing, was: owners.HeldPlan) -> str:
    if gives.subscription is not None:
        return "billing"
    if was.granted != gives.plan:
        return "default"
    # By hand or by a converted trial; where a subscription stood over it, nobody remembers which.
    return was.source if was.source in {"admin", "trial"} else "admin"
