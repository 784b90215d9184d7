"""What becomes of a stored row when its provider tells something about it: pure functions.

What was read from the provider is the truth of the moment the reading began. What an event's payload says may be late,
doubled or overtaken; it counts only where it is newer for certain.
"""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from tenantry.kernel import new_id
from tenantry.product import Billing

from .access import until
from .rows import Payment, Subscription
from .snapshots import TERMINAL, PaymentSnapshot, ProviderName, SubscriptionSnapshot

Row = TypeVar("Row", Subscription, Payment)


class Told(msgspec.Struct, frozen=True):
    """Who tells, and when: `read_at`, when the reading began; None, an event's payload. `now`: the database's time."""

    provider: ProviderName
    read_at: datetime | None
    now: datetime


def merged_subscription(
    old: Subscription | None, snapshot: SubscriptionSnapshot, told: Told, *, billing: Billing
) -> Subscription | None:
    """The row as it should be, without whose it is and what it buys; `old` itself when nothing is newer.

    None: the payload does not decide, only reading the object can.
    """
    status = snapshot.status or (old.status if old else None)
    if status is None:
        return None
    given: dict[str, Any] = {
        name: getattr(snapshot, name)
        for name in (
            "raw_status", "quantity", "period_start", "period_end", "trial_ends_at", "cancel_at", "ended_at",
            "resumes_at",
        )
    }  # fmt: skip
    given |= {
        "status": status,
        "customer": snapshot.customer or (old.customer if old else None),
        "email": snapshot.email or (old.email if old else None),
        "past_due_since": _past_due_since(old, snapshot, told) if status == "past_due" else None,
    }
    row = msgspec.structs.replace(old or _new_subscription(snapshot, told), **given)
    row = msgspec.structs.replace(row, access_until=until(row, billing.grace))
    return _newer(old, row, snapshot.version, told, is_over=old is not None and old.status in TERMINAL)


def merged_payment(old: Payment | None, snapshot: PaymentSnapshot, told: Told) -> Payment | None:
    """The same for a payment. One whose id the payload does not know is known by its intent, or not at all."""
    status = snapshot.status or (old.status if old else None)
    external_id = snapshot.external_id or (old.external_id if old else None)
    if status is None or external_id is None:
        return None
    fresh = old or _new_payment(snapshot, told, external_id)
    if told.read_at is None and snapshot.refunded < fresh.refunded_minor:
        # Stripe's invoices know nothing of refunds; that money came back after all, only reading tells.
        return None
    kept = {
        name: getattr(snapshot, name) if getattr(snapshot, name) is not None else getattr(fresh, name)
        for name in ("intent", "customer", "number", "receipt_url", "paid_at", "period_start", "period_end")
    }
    row = msgspec.structs.replace(
        fresh,
        **kept,
        status=status,
        amount_minor=snapshot.amount,
        refunded_minor=min(snapshot.refunded, snapshot.amount),
        currency=snapshot.currency,
        # A charge does not know what it was for.
        reason=fresh.reason if snapshot.reason == "once" else snapshot.reason,
        subscription_external_id=snapshot.subscription or fresh.subscription_external_id,
    )
    return _newer(old, row, snapshot.version, told, is_over=False)


def _newer(old: Row | None, row: Row, version: datetime | None, told: Told, *, is_over: bool) -> Row | None:
    if told.read_at is not None:
        if old is not None and old.fetched_at is not None and old.fetched_at > told.read_at:
            return old
        return msgspec.structs.replace(row, fetched_at=told.read_at, version=version or row.version)
    if old is None:
        return msgspec.structs.replace(row, version=version)
    if msgspec.structs.replace(row, version=old.version) == old:
        return old
    as_of = max((one for one in (old.version, old.fetched_at) if one is not None), default=None)
    if is_over or version is None or (as_of is not None and version <= as_of):
        return None
    return msgspec.structs.replace(row, version=version)


def _past_due_since(old: Subscription | None, snapshot: SubscriptionSnapshot, told: Told) -> datetime:
    """As the provider says; else since we first saw it, and its period where it never was anything else to us."""
    known = old.past_due_since if old is not None and old.status == "past_due" else None
    began = snapshot.period_start if old is None else None
    return snapshot.past_due_since or known or began or snapshot.version or told.read_at or told.now


def _new_subscription(snapshot: SubscriptionSnapshot, told: Told) -> Subscription:
    row_id = new_id()
    return Subscription(
        id=row_id,
        holder_id=None,
        provider=told.provider,
        external_id=snapshot.external_id,
        customer=None,
        email=None,
        price_id=None,
        plan=None,
        status="incomplete",
        raw_status=snapshot.raw_status,
        quantity=snapshot.quantity,
        period_start=None,
        period_end=None,
        trial_ends_at=None,
        cancel_at=None,
        ended_at=None,
        resumes_at=None,
        past_due_since=None,
        access_until=None,
        slot=own_slot(row_id),
        version=None,
        fetched_at=None,
        created_at=told.now,
    )


def own_slot(row_id: UUID) -> str:
    """The slot of a subscription that stands beside others."""
    return str(row_id)


def _new_payment(snapshot: PaymentSnapshot, told: Told, external_id: Any) -> Payment:
    return Payment(
        id=new_id(),
        holder_id=None,
        provider=told.provider,
        external_id=external_id,
        intent=None,
        customer=None,
        subscription_external_id=None,
        price_id=None,
        status="pending",
        reason=snapshot.reason,
        amount_minor=0,
        refunded_minor=0,
        currency=snapshot.currency,
        number=None,
        receipt_url=None,
        paid_at=None,
        period_start=None,
        period_end=None,
        version=None,
        fetched_at=None,
        created_at=told.now,
    )
