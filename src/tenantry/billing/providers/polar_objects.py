"""Polar's objects and events in the normal form.

Read by hand and not with Polar's SDK: that one refuses every payload in which a field that it knows is missing, real
ones and Polar's own tests among them, and refuses other payloads with every release. What counts is an object's status
and never an event's name: `subscription.active` comes for trials, `subscription.canceled` for what goes on until its
period ends, and `subscription.revoked` once came for what was merely past due.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from msgspec.structs import replace

from ..errors import EventMalformed, SecretUnset, SignatureRefused
from ..snapshots import (
    RECEIVED,
    TERMINAL,
    CustomerSnapshot,
    ExternalId,
    Hint,
    Interval,
    ObjectKind,
    PaymentSnapshot,
    PaymentStatus,
    PriceSnapshot,
    ProductSnapshot,
    Reason,
    Snapshot,
    Status,
    SubscriptionSnapshot,
)
from .untrusted import at, currency, decoded, details, identifier, moment, objects, settled, text, uuid_of, whole

TOLERANCE_SECONDS = 300
STATUSES: Mapping[str, Status] = {
    "incomplete": "incomplete",
    "incomplete_expired": "expired",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "paused": "paused",
    "canceled": "canceled",
}
ORDER_STATUSES: Mapping[str, PaymentStatus] = {
    "draft": "pending",
    "pending": "pending",
    "paid": "paid",
    "partially_refunded": "partially_refunded",
    "refunded": "refunded",
    "void": "void",
}
REASONS: Mapping[str, Reason] = {
    "purchase": "once",
    "subscription_create": "initial",
    "subscription_cycle": "renewal",
    "subscription_update": "change",
}
INTERVALS = ("day", "week", "month", "year")
# What an event's name begins with: the kind of its object, and where the object's id is.
_ABOUT: Mapping[str, tuple[ObjectKind, str]] = {
    "subscription": ("subscription", "id"),
    "order": ("payment", "id"),
    "refund": ("payment", "order_id"),
    "customer": ("customer", "id"),
    "product": ("product", "id"),
}


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> str:
    """The id of an event that one of the secrets signed within five minutes of `now` (Standard Webhooks).

    Polar signs with the bytes of the whole secret, `whsec_` included, and not, as Standard Webhooks has it, with what
    the rest of it is in base64; its SDK takes both, and so do we. Raises `SecretUnset`, `SignatureRefused`.
    """
    keys = [key for one in secrets for key in _keys(one) if key]
    if not keys:
        raise SecretUnset
    event_id, sent, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    seconds = sent.partition(".")[0]
    if not event_id or not seconds.isascii() or not seconds.isdigit() or len(seconds) > 12:
        raise SignatureRefused(internal="polar: the event has no id, or no time of sending")
    signed = f"{event_id}.{int(seconds)}.".encode(errors="replace") + body
    right = [b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    # Every pair is compared, so that the time taken tells nothing.
    found = [hmac.compare_digest(one, other) for one in right for other in given.encode(errors="replace").split()]
    if not any(found):
        raise SignatureRefused(internal="polar: no signature holds")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE_SECONDS:
        raise SignatureRefused(internal="polar: sent more than five minutes ago, or in the future")
    return event_id


def hint_of(body: bytes, event_id: str, *, is_live: bool) -> Hint:
    """What an event is about. Raises `EventMalformed`."""
    document = decoded(body)
    event, known_by = text(document.get("type")), identifier(event_id)
    if event is None or known_by is None:
        raise EventMalformed(internal="polar: the event has no type, or an id that is none")
    kind, key = _ABOUT.get(event.partition(".")[0], (None, "id"))
    about = identifier(at(document, "data", key)) if kind else None
    if kind is not None and about is None:
        raise EventMalformed(internal="polar: the event names no object")
    return Hint(
        dedupe_key=known_by,
        event=event[:100],
        object_kind=kind,
        object_id=about,
        occurred_at=moment(document.get("timestamp")),
        is_live=is_live,
    )


def told_of(body: bytes) -> list[Snapshot]:
    """What an event's payload says of its object, with what it refers to, versioned by the event's own time."""
    try:
        document = decoded(body)
    except EventMalformed:
        return []
    event, version = text(document.get("type")) or "", moment(document.get("timestamp"))
    found = snapshots_of(_ABOUT.get(event.partition(".")[0], (None,))[0], document.get("data"))
    if event.startswith("refund.") or version is None:
        return []
    if event == "customer.deleted":
        return [replace(one, is_deleted=True) for one in found if isinstance(one, CustomerSnapshot)]
    return [
        replace(one, version=version) if isinstance(one, SubscriptionSnapshot | PaymentSnapshot) else one
        for one in found
    ]


def snapshots_of(kind: ObjectKind | None, data: object) -> list[Snapshot]:
    """An object of Polar's and what it carries of others; [] when it is not what it should be."""
    match kind:
        case "product" | "price":
            return list(_product(data))
        case "customer":
            customer = customer_of(data)
            return [customer] if customer else []
        case "subscription" | "payment":
            main = _subscription(data) if kind == "subscription" else _payment(data)
            customer = customer_of(at(data, "customer"))
            return [] if main is None else [*_product(at(data, "product")), *([customer] if customer else []), main]
        case _:
            return []


def customer_of(data: object) -> CustomerSnapshot | None:
    """A customer; whom it was made for is its `external_id`."""
    external_id = identifier(at(data, "id"))
    if external_id is None:
        return None
    return CustomerSnapshot(
        external_id=external_id,
        email=text(at(data, "email")),
        holder_id=uuid_of(at(data, "external_id"), at(data, "metadata", "holder_id")),
        is_deleted=at(data, "deleted_at") is not None,
    )


def main_price(data: object) -> ExternalId | None:
    """The price of a subscription, an order's, or a product's only one: the first that is not of usage."""
    prices = [one for one in objects(at(data, "prices")) if one.get("amount_type") != "metered_unit"]
    items = [one.get("product_price_id") for one in objects(at(data, "items"))]
    offered = [one for one in objects(at(data, "product", "prices")) if one.get("amount_type") != "metered_unit"]
    on_sale = [one for one in offered if one.get("is_archived") is False]
    candidates = (
        *(one.get("id") for one in prices),
        at(data, "price_id"),
        at(data, "product_price_id"),
        *items,
        on_sale[0].get("id") if len(on_sale) == 1 else None,
    )
    return next((found for one in candidates if (found := identifier(one))), None)


def _keys(secret: str) -> Iterator[bytes]:
    yield secret.encode()
    rest = secret.removeprefix("whsec_")
    try:
        yield base64.b64decode(rest + "=" * (-len(rest) % 4), validate=True)
    except (binascii.Error, ValueError):
        return


def _product(data: object) -> Iterator[Snapshot]:
    external_id, name = identifier(at(data, "id")), text(at(data, "name"))
    if external_id is None or name is None:
        return
    yield ProductSnapshot(
        external_id=external_id,
        name=name,
        description=text(at(data, "description")),
        is_active=at(data, "is_archived") is not True,
        details=details(at(data, "metadata")),
    )
    for one in objects(at(data, "prices")):
        if price := identifier(one.get("id")):
            yield _price(external_id, price, one, data)


def _price(product: ExternalId, external_id: ExternalId, price: Mapping[str, Any], of: object) -> PriceSnapshot:
    kind, seats = price.get("amount_type"), objects(at(price, "seat_tiers", "tiers"))
    amounts = {
        "fixed": price.get("price_amount"),
        "free": 0,
        "seat_based": seats[0].get("price_per_seat") if len(seats) == 1 else price.get("price_per_seat"),
    }
    interval = at(of, "recurring_interval") or price.get("recurring_interval")
    # A price of usage stands beside the one that buys the plan, and is none of the plan's.
    lookup = text(at(price, "metadata", "lookup")) or text(at(of, "metadata", "lookup"))
    return PriceSnapshot(
        external_id=external_id,
        product=product,
        lookup=None if kind == "metered_unit" else lookup,
        amount=whole(amounts.get(kind)) if isinstance(kind, str) else None,
        currency=currency(price.get("price_currency")),
        interval=cast("Interval", interval) if interval in INTERVALS else None,
        interval_count=whole(at(of, "recurring_interval_count")) or 1,
        is_active=price.get("is_archived") is not True and at(of, "is_archived") is not True,
        details=details(price.get("metadata")),
    )


def _subscription(data: object) -> SubscriptionSnapshot | None:
    external_id, raw = identifier(at(data, "id")), text(at(data, "status"))
    if external_id is None or raw is None:
        return None
    status = STATUSES.get(raw)
    period = moment(at(data, "current_period_start")), moment(at(data, "current_period_end"))
    ends_at = moment(at(data, "ends_at")) or (period[1] if at(data, "cancel_at_period_end") is True else None)
    return SubscriptionSnapshot(
        external_id=external_id,
        customer=identifier(at(data, "customer_id")) or identifier(at(data, "customer", "id")),
        price=main_price(data),
        status=status,
        raw_status=raw[:100],
        quantity=whole(at(data, "seats")) or 1,
        period_start=period[0] if period[0] and period[1] and period[0] <= period[1] else None,
        period_end=period[1],
        trial_ends_at=moment(at(data, "trial_end")),
        cancel_at=None if status in TERMINAL else ends_at,
        ended_at=moment(at(data, "ended_at")),
        resumes_at=moment(at(data, "resumes_at")),
        past_due_since=moment(at(data, "past_due_at")) if status == "past_due" else None,
        holder_id=_holder(data),
        email=text(at(data, "customer", "email")),
    )


def _payment(data: object) -> PaymentSnapshot | None:
    external_id, raw = identifier(at(data, "id")), text(at(data, "status"))
    total = whole(at(data, "total_amount"))
    if total is None:
        amount, tax = whole(at(data, "amount")), whole(at(data, "tax_amount"))
        total = None if amount is None else whole(amount + (tax or 0))
    if external_id is None or raw is None or total is None:
        return None
    refunded = (whole(at(data, "refunded_amount")) or 0) + (whole(at(data, "refunded_tax_amount")) or 0)
    status, refunded = settled(ORDER_STATUSES.get(raw), total, refunded)
    subscription = identifier(at(data, "subscription_id")) or identifier(at(data, "subscription", "id"))
    reason = REASONS.get(str(at(data, "billing_reason")), "renewal" if subscription else "once")
    return PaymentSnapshot(
        external_id=external_id,
        customer=identifier(at(data, "customer_id")) or identifier(at(data, "customer", "id")),
        subscription=subscription,
        price=main_price(data),
        status=status,
        reason=reason,
        amount=total,
        refunded=refunded,
        currency=currency(at(data, "currency")),
        number=text(at(data, "invoice_number")),
        paid_at=moment(at(data, "created_at")) if status in RECEIVED else None,
        holder_id=_holder(data),
        email=text(at(data, "customer", "email")),
    )


def _holder(data: object) -> UUID | None:
    customer = at(data, "customer")
    return uuid_of(
        at(data, "metadata", "holder_id"), at(customer, "external_id"), at(customer, "metadata", "holder_id")
    )
