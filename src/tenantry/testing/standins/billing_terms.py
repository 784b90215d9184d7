"""How the stand-in payment provider reckons: its catalogue, its periods, its coupons, its proration."""

import calendar
from datetime import datetime, timedelta

from tenantry.product import Plan, Product
from tenantry.product.plans import Price as Declared

from . import billing_state as state

COUPONS = {"HALF": 50, "FREE": 100}
"""The codes it knows, and how many percent of the first payment each takes away."""
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def catalogue_of(product: Product) -> tuple[list[state.Product], list[state.Price]]:
    """The declared plans that cost something, as products and prices. Their ids are made of their names, and stay."""
    sold = [plan for plan in product.plans if any(price.amount for price in plan.prices)]
    prices = [_price(plan, price) for plan in sold for price in plan.prices if price.amount]
    return [_product(product, plan) for plan in sold], prices


def _product(product: Product, plan: Plan) -> state.Product:
    return state.Product(
        id=f"prod_{plan.name}",
        name=f"{product.name} {plan.display_name}",
        description="; ".join(str(one) for one in plan.features) or None,
        is_active=plan.is_active,
        details={"plan": plan.name},
    )


def _price(plan: Plan, price: Declared) -> state.Price:
    lookup = plan.lookup_of(price)
    return state.Price(
        id=f"price_{lookup}",
        product=f"prod_{plan.name}",
        lookup=lookup,
        amount=price.amount,
        currency=price.currency,
        interval=price.interval,
        is_active=plan.is_active,
        details={"plan": plan.name},
    )


def period_end(anchor: datetime, start: datetime, price: state.Price) -> datetime:
    """When the period ends that began at `start`; months are counted from `anchor`, whose day comes back."""
    interval, count = price.interval or "month", price.interval_count
    if interval in _DAYS:
        return start + timedelta(days=_DAYS[interval] * count)
    step, months = _MONTHS[interval] * count, 0
    while (end := _months_later(anchor, months)) <= start:
        months += step
    return end


def _months_later(anchor: datetime, months: int) -> datetime:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, last))


def off(coupon: str | None, amount: int) -> int:
    """How much a coupon takes from a first payment; 0 for a code that is not known."""
    return amount * COUPONS.get(coupon or "", 0) // 100


def difference(subscription: state.Subscription, *, old: state.Price, new: state.Price, now: datetime) -> int:
    """What the rest of the running period costs more at the new price; below 0: less. During a trial nothing."""
    whole = subscription.period_end - subscription.period_start
    if subscription.status == "trialing" or not whole:
        return 0
    left = max(timedelta(0), subscription.period_end - now) / whole
    return round((new.amount - old.amount) * subscription.quantity * left)


def in_words(price: state.Price) -> str:
    """A price as a page shows it, such as "9.00 USD a month"."""
    if price.interval is None:
        return f"{money(price.amount, price.currency)} once"
    every = f"a {price.interval}" if price.interval_count == 1 else f"every {price.interval_count} {price.interval}s"
    return f"{money(price.amount, price.currency)} {every}"


_WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF", "PYG", "RWF"})


def money(amount: int, currency: str) -> str:
    """Minor units as a page shows them."""
    return f"{amount:,} {currency}" if currency in _WITHOUT_CENTS else f"{amount / 100:,.2f} {currency}"
