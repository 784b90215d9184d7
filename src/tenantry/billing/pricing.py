"""What the pricing page needs to know of the reader: what is for sale, what they have, what a click would do."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.permissions import member_may
from tenantry.product import Plan

from .actions.buying import trial_days
from .overview import Overview, overview
from .permissions import BILLING_WRITE
from .queries.reading import SoldPrice
from .sale import sold

Way: TypeAlias = Literal["none", "choose", "trial", "change"]


class Pricing(msgspec.Struct, frozen=True):
    """`for_sale`: the prices of each plan that can be bought, its own first; empty where they are not known yet.

    `seen` is None for a stranger. `may_buy`: whether the reader may, or an organization's owner and admins.
    """

    for_sale: Mapping[str, list[SoldPrice]]
    seen: Overview | None
    may_buy: bool = True

    def way(self, plan: Plan) -> Way:
        """How the reader comes to a plan: by a checkout, with a trial or without, or by changing what they have."""
        if not self.may_buy:
            return "none"
        if self.seen is not None and self.seen.is_live:
            return "change" if plan.is_free or plan.name in self.for_sale else "none"
        if plan.name not in self.for_sale:
            return "none"
        return "trial" if self.trial_days(plan) else "choose"

    def trial_days(self, plan: Plan) -> int:
        """How long the plan would be free for the reader."""
        return trial_days(plan, self.seen.account) if self.seen is not None else plan.trial.days


async def pricing_of(ctx: Context) -> Pricing | None:
    """None for a product without billing; `ctx` has no open unit, and nobody outside is asked."""
    if ctx.product.billing is None:
        return None
    reading = ctx.reading()
    is_buyer = ctx.actor.kind == "user" and ctx.current_holder is not None
    may_buy = member_may(ctx, BILLING_WRITE)
    return Pricing(await sold(reading), await overview(reading) if is_buyer else None, may_buy)
