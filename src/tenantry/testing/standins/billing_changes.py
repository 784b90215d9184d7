"""How a subscription at the stand-in payment provider is changed: by its buyer in the portal, or by the application."""

from datetime import datetime

from .billing_shop import Refused, Shop
from .billing_state import ENDED, Price, Subscription
from .billing_terms import difference, period_end
from .billing_time import end, go_on


def change_plan(shop: Shop, subscription: Subscription, *, price: str, proration: str) -> None:
    """Another price from now on. "invoice" settles the rest of the period now, "prorate" with the next payment.

    Where the interval is another one, a new period begins and is paid for.
    """
    _must_go_on(subscription)
    old, new = shop.books.prices[subscription.price], shop.books.prices.get(price)
    if new is None or not new.is_active or new.interval is None:
        raise Refused("There is no such price.")
    more = 0 if proration == "none" else difference(subscription, old=old, new=new, now=shop.now())
    is_new_period = (old.interval, old.interval_count) != (new.interval, new.interval_count)
    if is_new_period and subscription.status == "active":
        _begin_anew(shop, subscription, old, new, is_reckoned=proration != "none")
    elif more > 0 and proration == "invoice":
        _pay_now(shop, subscription, new, more)
    else:
        subscription.price = new.id
        subscription.balance += more
    shop.tell("subscription.changed", "subscription", subscription)


def cancel(shop: Shop, subscription: Subscription, *, at_once: bool = False) -> None:
    """With the end of the period; `at_once`, now. What is paused or was not paid for ends now in any case."""
    _must_go_on(subscription)
    if at_once or subscription.status in {"paused", "unpaid"}:
        end(shop, subscription, shop.now())
        return
    subscription.cancel_at = subscription.period_end
    shop.tell("subscription.cancelling", "subscription", subscription)


def resume(shop: Shop, subscription: Subscription) -> None:
    """Take back a cancellation that is still to come, or a pause."""
    _must_go_on(subscription)
    subscription.cancel_at = None
    if subscription.status == "paused":
        go_on(shop, subscription)
    else:
        shop.tell("subscription.changed", "subscription", subscription)


def pause(shop: Shop, subscription: Subscription, *, until: datetime | None = None) -> None:
    """Neither access nor payments until it is resumed, at the latest at `until`."""
    _must_go_on(subscription)
    if subscription.status not in {"active", "trialing", "paused"}:
        raise Refused("Only what is paid for can be paused.")
    if until is not None and until <= shop.now():
        raise Refused("A pause ends in the future.")
    subscription.status, subscription.resumes_at = "paused", until
    shop.tell("subscription.paused", "subscription", subscription)


def fail_payments(shop: Shop, subscription: Subscription, count: int = 1) -> None:
    """The next `count` payments fail; 0: none does."""
    _must_go_on(subscription)
    subscription.failures = count
    shop.touch()


def _must_go_on(subscription: Subscription) -> None:
    if subscription.status in ENDED:
        raise Refused("It has ended.")


def _pay_now(shop: Shop, subscription: Subscription, new: Price, amount: int) -> None:
    _must_be_good(shop, subscription, amount)
    subscription.price = new.id
    shop.charge(subscription, amount, "change", is_paid=True)


def _begin_anew(shop: Shop, subscription: Subscription, old: Price, new: Price, *, is_reckoned: bool) -> None:
    now = shop.now()
    whole = subscription.period_end - subscription.period_start
    unused = round(old.amount * subscription.quantity * ((subscription.period_end - now) / whole)) if whole else 0
    due = new.amount * subscription.quantity - (unused if is_reckoned else 0) + subscription.balance
    _must_be_good(shop, subscription, max(0, due))
    subscription.price, subscription.anchor, subscription.period_start = new.id, now, now
    subscription.period_end = period_end(now, now, new)
    subscription.balance = min(0, due)
    if subscription.cancel_at is not None:
        subscription.cancel_at = subscription.period_end
    shop.charge(subscription, max(0, due), "change", is_paid=True)


def _must_be_good(shop: Shop, subscription: Subscription, amount: int) -> None:
    if subscription.failures:
        subscription.failures -= 1
        shop.charge(subscription, amount, "change", is_paid=False)
        raise Refused("The card was declined.")
