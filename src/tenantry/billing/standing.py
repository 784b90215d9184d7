"""What a holder has by all its subscriptions together, of whatever provider: a pure function."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tenantry.product import Billing, Product

from .access import access
from .rows import Subscription


class Standing(msgspec.Struct, frozen=True):
    """A holder's plan by what is paid and granted; `until` then, and `after` it the other; None: no end is known.

    `subscription` is the one that gives the plan, and its period is the holder's; None: the plan is not paid for.
    """

    plan: str
    until: datetime | None = None
    after: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    subscription: Subscription | None = None


def standing(
    product: Product, billing: Billing, subscriptions: Sequence[Subscription], *, granted: str | None, now: datetime
) -> Standing:
    """The highest plan that a subscription gives at `now`, or the granted one, or the default, whichever is highest.

    Of two that give the same plan, the one that gives it longer. A plan that the declaration does not know gives none.
    """
    base = _highest(product, granted)
    best = _best(product, billing, subscriptions, now)
    if best is None or product.order[best.plan or ""] < product.order[base]:
        return Standing(base)
    ends_at = access(best, now, billing.grace).until
    after = None if ends_at is None else _after(product, billing, subscriptions, granted, ends_at)
    return Standing(best.plan or base, ends_at, after, *_period(best), best)


def _period(subscription: Subscription) -> tuple[datetime | None, datetime | None]:
    """The period to count by, where it is whole: Lemon Squeezy tells only when one ends."""
    start, end = subscription.period_start, subscription.period_end
    return (start, end) if start is not None and end is not None and start < end else (None, None)


def _after(
    product: Product, billing: Billing, subscriptions: Sequence[Subscription], granted: str | None, then: datetime
) -> str:
    return standing(product, billing, subscriptions, granted=granted, now=then).plan


def _best(
    product: Product, billing: Billing, subscriptions: Sequence[Subscription], now: datetime
) -> Subscription | None:
    giving = [one for one in subscriptions if one.plan in product.order and access(one, now, billing.grace)]

    def rank(one: Subscription) -> tuple[int, bool, datetime, str]:
        ends_at = access(one, now, billing.grace).until
        return product.order[one.plan or ""], ends_at is None, ends_at or now, one.external_id

    return max(giving, key=rank, default=None)


def _highest(product: Product, granted: str | None) -> str:
    default = product.default.name
    if granted is None or granted not in product.order or product.order[granted] < product.order[default]:
        return default
    return granted
