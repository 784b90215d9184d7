"""Lemon Squeezy's objects (JSON:API) in the normal form. Ids are numbers in attributes and text in `id`.

One payment is one row. A subscription's money is told twice, as an order and as the subscription's first invoice; the
invoice is the payment (`inv_…`), since all later ones come as invoices only. An order is a payment of its own (`ord_…`)
only when nothing that renews was bought with it, which its payload does not say: only reading finds out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from ..snapshots import (
    RECEIVED,
    CustomerSnapshot,
    ExternalId,
    Interval,
    PaymentSnapshot,
    PaymentStatus,
    PriceSnapshot,
    ProductSnapshot,
    Reason,
    Status,
    SubscriptionSnapshot,
)
from .untrusted import at, currency, identifier, latest, moment, page_address, settled, text, whole

INTERVALS = ("day", "week", "month", "year")
STATUSES: Mapping[str, Status] = {
    "on_trial": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "expired": "expired",
}
PAYMENT_STATUSES: Mapping[str, PaymentStatus] = {
    "pending": "pending",
    "paid": "paid",
    "failed": "failed",
    "refunded": "refunded",
    # Orders and invoices spell it differently.
    "partial_refund": "partially_refunded",
    "partial_refunded": "partially_refunded",
    "fraudulent": "void",
    "void": "void",
}
REASONS: Mapping[str, Reason] = {"initial": "initial", "renewal": "renewal", "updated": "change"}


def number(value: object) -> ExternalId | None:
    """An id of Lemon Squeezy's: digits."""
    found = identifier(value)
    return found if found is not None and found.isdigit() else None


def is_of(store: str, resource: object) -> bool:
    """Whether an object is of that store; also when either does not say."""
    found = number(at(resource, "attributes", "store_id"))
    return not store or found is None or found == store


def version_of(resource: object) -> datetime | None:
    """When an object last changed. Its item, with quantity and price, changes without it."""
    attributes = at(resource, "attributes")
    item = at(attributes, "first_subscription_item", "updated_at")
    return latest((moment(at(attributes, "updated_at")), moment(item)))


def subscription_of(
    resource: object, *, holder_id: UUID | None = None, version: datetime | None = None
) -> SubscriptionSnapshot | None:
    """A subscription. Cancelled is active until it ends; paused for free is active."""
    said, external_id = at(resource, "attributes"), number(at(resource, "id"))
    raw = text(at(said, "status"))
    if external_id is None or raw is None:
        return None
    renews_at, ends_at = moment(at(said, "renews_at")), moment(at(said, "ends_at"))
    trial_ends_at = moment(at(said, "trial_ends_at"))
    status, cancel_at = STATUSES.get(raw), None
    if raw == "paused":
        status = "active" if at(said, "pause", "mode") == "free" else "paused"
    elif raw == "cancelled":
        cancel_at = ends_at or renews_at or trial_ends_at
        # Without an end it would give its plan for ever.
        status = "active" if cancel_at else None
    return SubscriptionSnapshot(
        external_id=external_id,
        customer=number(at(said, "customer_id")),
        price=number(at(said, "variant_id")),
        status=status,
        raw_status=raw[:100],
        quantity=whole(at(said, "first_subscription_item", "quantity")) or 1,
        period_end=renews_at or ends_at or trial_ends_at,
        trial_ends_at=trial_ends_at,
        cancel_at=cancel_at,
        ended_at=ends_at if status == "expired" else None,
        resumes_at=moment(at(said, "pause", "resumes_at")),
        holder_id=holder_id,
        email=text(at(said, "user_email")),
        version=version,
    )


def invoice_of(
    resource: object, *, of: object = None, holder_id: UUID | None = None, version: datetime | None = None
) -> PaymentSnapshot | None:
    """A payment of a subscription. `of`, its subscription, knows the price and the order that the first one was."""
    said, external_id = at(resource, "attributes"), number(at(resource, "id"))
    if external_id is None:
        return None
    reason = REASONS.get(str(at(said, "billing_reason")), "renewal")
    order = number(at(of, "attributes", "order_id")) if reason == "initial" else None
    return _payment(
        said,
        external_id=ExternalId(f"inv_{external_id}"),
        intent=ExternalId(f"ord_{order}") if order else None,
        subscription=number(at(said, "subscription_id")),
        price=number(at(of, "attributes", "variant_id")),
        reason=reason,
        receipt_url=page_address(at(said, "urls", "invoice_url")),
        holder_id=holder_id,
        version=version,
    )


def order_of(
    resource: object, *, is_own: bool, holder_id: UUID | None = None, version: datetime | None = None
) -> PaymentSnapshot | None:
    """An order. `is_own`: known to be a payment of its own, and not a subscription's first."""
    said, external_id = at(resource, "attributes"), number(at(resource, "id"))
    if external_id is None:
        return None
    known = ExternalId(f"ord_{external_id}")
    return _payment(
        said,
        external_id=known if is_own else None,
        intent=known,
        price=number(at(said, "first_order_item", "variant_id")),
        reason="once",
        number=text(str(at(said, "order_number"))) if whole(at(said, "order_number")) else None,
        receipt_url=page_address(at(said, "urls", "receipt")),
        holder_id=holder_id,
        version=version,
    )


def customer_of(resource: object) -> CustomerSnapshot | None:
    """A customer: one an address and store. Whom it was made for it cannot say."""
    external_id = number(at(resource, "id"))
    if external_id is None or at(resource, "type") != "customers":
        return None
    return CustomerSnapshot(external_id=external_id, email=text(at(resource, "attributes", "email")))


def product_of(resource: object) -> ProductSnapshot | None:
    """A product; its prices are its variants."""
    said, external_id = at(resource, "attributes"), number(at(resource, "id"))
    name = text(at(said, "name"))
    if external_id is None or name is None:
        return None
    slug = text(at(said, "slug"))
    return ProductSnapshot(
        external_id=external_id,
        name=name,
        description=text(at(said, "description")),
        is_active=at(said, "status") == "published",
        details={"slug": slug} if slug else {},
    )


def price_of(variant: object, product: object, price: object, money: str) -> PriceSnapshot | None:
    """A variant, with the newest of its prices; what variants say of prices themselves is going out of use.

    `money`: the currency of the store. A product's only variant is `pending`, and on sale with the product.
    """
    said, now = at(variant, "attributes"), at(price, "attributes")
    external_id, of = number(at(variant, "id")), number(at(said, "product_id"))
    if external_id is None or of is None:
        return None
    tiered = at(now, "scheme") in {"graduated", "volume"} if isinstance(at(now, "scheme"), str) else False
    free_choice = at(now, "category") == "pwyw" or at(said, "pay_what_you_want") is True
    amount = whole(at(now, "unit_price")) if now is not None else whole(at(said, "price"))
    interval = at(now, "renewal_interval_unit") if now is not None else at(said, "interval")
    every = at(now, "renewal_interval_quantity") if now is not None else at(said, "interval_count")
    name = text(at(said, "name"))
    on_sale = at(product, "attributes", "status") == "published" and at(said, "status") in ("published", "pending")
    return PriceSnapshot(
        external_id=external_id,
        product=of,
        lookup=text(at(said, "slug")),
        amount=None if tiered or free_choice else amount,
        currency=money,
        interval=cast("Interval", interval) if interval in INTERVALS else None,
        interval_count=whole(every) or 1,
        is_active=on_sale,
        details={"name": name} if name else {},
    )


def _payment(said: object, **known: Any) -> PaymentSnapshot | None:
    raw, total = text(at(said, "status")), whole(at(said, "total"))
    if raw is None or total is None:
        return None
    refunded = whole(at(said, "refunded_amount")) or (total if at(said, "refunded") is True and raw == "paid" else 0)
    status, refunded = settled(PAYMENT_STATUSES.get(raw), total, refunded)
    is_paid = status in RECEIVED
    return PaymentSnapshot(
        customer=number(at(said, "customer_id")),
        status=status,
        amount=total,
        refunded=refunded,
        currency=currency(at(said, "currency")),
        paid_at=moment(at(said, "created_at")) if is_paid else None,
        email=text(at(said, "user_email")),
        **known,
    )
