"""What a holder has at a glance: plan, access, the subscription that is spoken of."""

from datetime import datetime

import msgspec

from tenantry.kernel import Context
from tenantry.product import Billing, Plan, Product

from .access import NONE, Access, access
from .holding import billing_of
from .models import LIVE
from .queries import reading
from .queries.reading import Account, Held
from .standing import Standing, standing


class Overview(msgspec.Struct, frozen=True):
    """A holder's plan, and the subscription that is shown: the one that gives it, else one that goes on, else the last.

    `access`: what the shown one gives now. `grace_until`: until when a plan stays whose payment failed.
    """

    plan: Plan
    standing: Standing
    account: Account
    shown: Held | None
    access: Access

    @property
    def at(self) -> datetime:
        """The database's time of the reading."""
        return self.account.at

    @property
    def is_live(self) -> bool:
        """Whether the shown one goes on, or may."""
        return self.shown is not None and self.shown.subscription.status in LIVE

    @property
    def live(self) -> list[Held]:
        """All that go on, the shown one first."""
        going = [one for one in self.account.held if one.subscription.status in LIVE]
        return sorted(going, key=lambda one: one is not self.shown)


async def overview(ctx: Context) -> Overview:
    """Read in one statement; `ctx` has an open unit."""
    account = await reading.account(ctx.db, ctx.holder.id)
    return seen(ctx.product, billing_of(ctx), account or Account(None, ctx.clock.now(), []))


def seen(product: Product, billing: Billing, account: Account) -> Overview:
    """The same, of an account that was read: a pure function."""
    subscriptions = [one.subscription for one in account.held]
    stands = standing(product, billing, subscriptions, granted=account.granted, now=account.at)
    shown = _shown(account, stands)
    gives = NONE if shown is None else access(shown.subscription, account.at, billing.grace)
    return Overview(product.plan(stands.plan), stands, account, shown, gives)


def _shown(account: Account, stands: Standing) -> Held | None:
    giving = [one for one in account.held if one.subscription is stands.subscription]
    going = [one for one in account.held if one.subscription.status in LIVE]
    return next(iter((*giving, *going, *account.held)), None)
