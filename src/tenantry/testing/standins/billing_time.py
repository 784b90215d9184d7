"""What time brings at the stand-in payment provider: renewals, trials that end, failed payments tried again."""

from datetime import datetime, timedelta

from .billing_shop import Refused, Shop
from .billing_state import ENDED, Payment, Subscription
from .billing_terms import off, period_end

_RETRIES = (timedelta(days=1), timedelta(days=3), timedelta(days=5), timedelta(days=7))
"""How long after a failed payment it is tried again, one after the other; then the subscription stays unpaid."""
_STEPS_MAX = 1_000


def happen(shop: Shop) -> None:
    """Everything that is due by the clock, one step after the other: months that were slept through, too."""
    for subscription in list(shop.books.subscriptions.values()):
        for _ in range(_STEPS_MAX):
            if not _step(shop, subscription):
                break


def let_pass(shop: Shop, subscription: Subscription) -> None:
    """As if the running period (or the trial, or the pause) ended now; what failed is tried again."""
    now = shop.now()
    if subscription.status in ENDED:
        raise Refused("It has ended.")
    if subscription.status in {"past_due", "unpaid"}:
        _tried_again(shop, subscription)
        return
    if subscription.status == "paused":
        subscription.resumes_at = now
    if subscription.cancel_at is not None:
        subscription.cancel_at = now
    if subscription.status == "trialing":
        subscription.trial_ends_at = now
    subscription.period_end, subscription.anchor = now, now
    happen(shop)
    shop.touch()


def end(shop: Shop, subscription: Subscription, at: datetime) -> None:
    """It is over."""
    subscription.status, subscription.ended_at, subscription.cancel_at = "canceled", at, None
    subscription.resumes_at = subscription.retry_at = None
    shop.tell("subscription.ended", "subscription", subscription)


def go_on(shop: Shop, subscription: Subscription) -> None:
    """After a pause: in the period or trial that still runs, else in a new one, which is paid for now."""
    now = shop.now()
    subscription.resumes_at = None
    is_trial = subscription.trial_ends_at is not None and subscription.trial_ends_at > now
    subscription.status = "trialing" if is_trial else "active"
    if subscription.period_end <= now:
        subscription.anchor = now
        _renewed(shop, subscription, now)
    else:
        shop.tell("subscription.changed", "subscription", subscription)


def _step(shop: Shop, subscription: Subscription) -> bool:
    """Do the one next thing that is due; answers whether there was one."""
    now = shop.now()
    if subscription.status in ENDED:
        return False
    if subscription.cancel_at is not None and subscription.cancel_at <= now:
        end(shop, subscription, subscription.cancel_at)
    elif subscription.status == "paused" and subscription.resumes_at is not None and subscription.resumes_at <= now:
        go_on(shop, subscription)
    elif subscription.status in {"active", "trialing"} and subscription.period_end <= now:
        if subscription.status == "trialing":
            subscription.status, subscription.anchor = "active", subscription.period_end
        _renewed(shop, subscription, subscription.period_end)
    elif subscription.status == "past_due" and subscription.retry_at is not None and subscription.retry_at <= now:
        _tried_again(shop, subscription)
    else:
        return False
    return True


def _renewed(shop: Shop, subscription: Subscription, start: datetime) -> None:
    price = shop.books.prices[subscription.price]
    subscription.period_start = start
    subscription.period_end = period_end(subscription.anchor, start, price)
    full = price.amount * subscription.quantity
    due = full - off(subscription.coupon, full) + subscription.balance
    subscription.coupon, subscription.balance = None, min(0, due)
    is_paid = subscription.failures == 0
    if is_paid:
        _fine(subscription)
    else:
        subscription.failures -= 1
        subscription.status, subscription.past_due_since = "past_due", shop.now()
        subscription.retries, subscription.retry_at = 0, shop.now() + _RETRIES[0]
    shop.charge(subscription, max(0, due), "renewal", is_paid=is_paid)
    shop.tell("subscription.renewed" if is_paid else "subscription.past_due", "subscription", subscription)


def _tried_again(shop: Shop, subscription: Subscription) -> None:
    """The same payment once more. When the last try fails the subscription stays, unpaid."""
    payment = _open_payment(shop, subscription)
    if subscription.failures == 0:
        _fine(subscription)
        if payment is not None:
            shop.settle(payment, is_paid=True)
    else:
        subscription.failures -= 1
        subscription.retries += 1
        is_over = subscription.retries >= len(_RETRIES)
        subscription.status = "unpaid" if is_over else "past_due"
        subscription.retry_at = None if is_over else shop.now() + _RETRIES[subscription.retries]
        if payment is not None:
            shop.settle(payment, is_paid=False)
    shop.tell("subscription.changed", "subscription", subscription)


def _open_payment(shop: Shop, subscription: Subscription) -> Payment | None:
    payments = [one for one in shop.books.payments.values() if one.subscription == subscription.id]
    return next((one for one in reversed(payments) if one.status == "failed" and one.reason == "renewal"), None)


def _fine(subscription: Subscription) -> None:
    subscription.status, subscription.past_due_since = "active", None
    subscription.retries, subscription.retry_at = 0, None
