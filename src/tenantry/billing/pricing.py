"""What the pricing page needs to know of the reader: what is for sale, what they have, what a click would do."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.permissions import member_may
from tenantry.product import Plan

from .actions.buying import trial_days
from .crediting import tokens_of
from .overview import Overview, overview
from .permissions import BILLING_WRITE
from .queries.reading import SoldPrice
from .sale import Good, offered

Way: TypeAlias = Literal["none", "choose", "trial", "change"]


class Pricing(msgspec.Struct, frozen=True):
    """`for_sale`: the prices of each plan that can be bought, its own first; empty where they are not known yet.

    `goods`: what is sold beside plans. `seen` is None for a stranger. `may_buy`: whether the reader may; of an
    organization, its owner and admins.
    """

    for_sale: Mapping[str, list[SoldPrice]]
    seen: Overview | None
    goods: Sequence[Good] = ()
    several: bool = False
    may_buy: bool = True

    def way(self, plan: Plan) -> Way:
        """How the reader comes to a plan: by a checkout, with a trial or without, or by changing what they have."""
        if not self.may_buy:
            return "none"
        if self.is_changing:
            return "change" if plan.is_free or plan.name in self.for_sale else "none"
        if plan.name not in self.for_sale:
            return "none"
        return "trial" if self.trial_days(plan) else "choose"

    def can_buy(self, price: SoldPrice) -> bool:
        """Whether the reader may buy it now: once as often as one likes, else beside nothing or what may be several."""
        is_free_to = price.interval is None or self.several or self.seen is None or not self.seen.is_live
        return self.may_buy and is_free_to

    @property
    def is_changing(self) -> bool:
        """Whether a plan is come to by changing what goes on, and not by buying."""
        return self.seen is not None and self.seen.is_live and not self._is_beside

    @property
    def _is_beside(self) -> bool:
        """Whether what goes on is no plan, and a plan may be bought beside it."""
        shown = self.seen.shown if self.seen else None
        return self.several and shown is not None and shown.subscription.plan is None

    @staticmethod
    def credits_of(price: SoldPrice, plan: Plan | None = None) -> int:
        """How many credits a price brings, once or with every period: as its metadata says, else as the plan does."""
        said = tokens_of(price.details, price.product_details)
        return said if said is not None else plan.credits if plan is not None else 0

    def trial_days(self, plan: Plan) -> int:
        """How long the plan would be free for the reader."""
        return trial_days(plan, self.seen.account) if self.seen is not None else plan.trial.days


async def pricing_of(ctx: Context) -> Pricing | None:
    """None for a product without billing; `ctx` has no open unit, and nobody outside is asked."""
    if ctx.product.billing is None:
        return None
    reading = ctx.reading()
    is_buyer = ctx.actor.kind == "user" and ctx.current_holder is not None
    for_sale, goods = await offered(reading)
    seen = await overview(reading) if is_buyer else None
    may_buy = member_may(ctx, BILLING_WRITE)
    return Pricing(for_sale, seen, goods, ctx.product.billing.several, may_buy)
