"""Stripe's invoices, payment intents and charges as payments: one per invoice, else one per intent."""

from datetime import datetime

from ..snapshots import ExternalId, PaymentSnapshot, PaymentStatus, Reason
from .stripe_fields import Document, currency_of, first, holder_of, id_of, rows, table, text, when, whole

_INVOICE: dict[str, PaymentStatus] = {
    "draft": "pending",
    "open": "pending",
    "paid": "paid",
    "uncollectible": "failed",
    "void": "void",
    "deleted": "void",
}
_INTENT: dict[str, PaymentStatus] = {
    "succeeded": "paid",
    "processing": "pending",
    "requires_action": "pending",
    "requires_capture": "pending",
    "requires_confirmation": "pending",
    "requires_payment_method": "pending",
    "canceled": "void",
}
_CHARGE: dict[str, PaymentStatus] = {"succeeded": "paid", "pending": "pending", "failed": "failed"}
_REASONS: dict[str, Reason] = {
    "subscription_create": "initial",
    "subscription_cycle": "renewal",
    "subscription": "renewal",
    "subscription_threshold": "renewal",
    "subscription_update": "change",
}
WAITING = frozenset({"processing", "requires_action", "requires_confirmation"})
"""A payment that failed says none of these: the customer, or the bank, is still at it."""


def invoice_payment(
    document: object, *, refunded: int = 0, is_waiting: bool = False, version: datetime | None = None
) -> PaymentSnapshot | None:
    """An invoice; None when it is none yet (an upcoming one has no id). What was given back, its charges know."""
    found = table(document)
    external_id, currency = id_of(found), currency_of(found.get("currency"))
    if external_id is None or currency is None:
        return None
    status = _invoice_status(found, is_waiting=is_waiting)
    amount = whole(found.get("amount_paid" if status == "paid" else "amount_due")) or 0
    subscription, metadata = _subscription(found)
    customer, lines = table(found.get("customer")), rows(found.get("lines"))
    start, end = _period(lines) if subscription else (None, None)
    return PaymentSnapshot(
        external_id=external_id,
        intent=first(*invoice_intents(found)),
        customer=id_of(found.get("customer")),
        subscription=subscription,
        price=_price(lines),
        status=_with_refund(status, amount, refunded),
        reason=_reason(found.get("billing_reason"), is_subscribed=subscription is not None),
        amount=amount,
        refunded=min(refunded, amount),
        currency=currency,
        number=text(found.get("number"), characters_max=255),
        receipt_url=_address(found.get("hosted_invoice_url")),
        paid_at=when(table(found.get("status_transitions")).get("paid_at")) if status == "paid" else None,
        period_start=start,
        period_end=end,
        holder_id=holder_of(metadata, found.get("metadata"), customer.get("metadata")),
        email=text(first(found.get("customer_email"), customer.get("email")), characters_max=512),
        version=version,
    )


def invoice_intents(found: Document) -> list[ExternalId]:
    """The payment intents of an invoice, the one that counts first."""
    payments = [one for one in rows(found.get("payments")) if id_of(table(one.get("payment")).get("payment_intent"))]
    payments.sort(key=lambda one: (one.get("status") != "paid", one.get("is_default") is not True))
    ids = (id_of(table(one.get("payment")).get("payment_intent")) for one in payments)
    # In the transitional shape the same one stands in both places.
    return list(dict.fromkeys(one for one in (id_of(found.get("payment_intent")), *ids) if one is not None))


def intent_payment(
    document: object, *, external_id: ExternalId | None, version: datetime | None = None
) -> PaymentSnapshot | None:
    """A payment intent, with its latest charge where that is expanded.

    `external_id`: None when it is not known whether an invoice stands behind it.
    """
    found = table(document)
    intent, currency = id_of(found), currency_of(found.get("currency"))
    if intent is None or currency is None:
        return None
    raw = found.get("status")
    status = _INTENT.get(raw) if isinstance(raw, str) else None
    if raw == "requires_payment_method" and table(found.get("last_payment_error")):
        status = "failed"
    amount = whole(found.get("amount_received" if status == "paid" else "amount")) or 0
    charge, metadata = table(found.get("latest_charge")), table(found.get("metadata"))
    refunded = whole(charge.get("amount_refunded")) or 0
    customer = table(found.get("customer"))
    return PaymentSnapshot(
        external_id=external_id,
        intent=intent,
        customer=id_of(found.get("customer")),
        price=id_of(metadata.get("price")),
        status=_with_refund(status, amount, refunded),
        amount=amount,
        refunded=min(refunded, amount),
        currency=currency,
        receipt_url=_address(charge.get("receipt_url")),
        paid_at=first(when(charge.get("created")), when(found.get("created"))) if status == "paid" else None,
        holder_id=holder_of(metadata, customer.get("metadata")),
        email=text(first(found.get("receipt_email"), customer.get("email")), characters_max=512),
        version=version,
    )


def charge_payment(
    document: object, *, external_id: ExternalId | None, version: datetime | None = None
) -> PaymentSnapshot | None:
    """A charge. It knows what was given back, and little else."""
    found = table(document)
    currency, raw = currency_of(found.get("currency")), found.get("status")
    if id_of(found) is None or currency is None:
        return None
    status = _CHARGE.get(raw) if isinstance(raw, str) else None
    amount, refunded = whole(found.get("amount")) or 0, whole(found.get("amount_refunded")) or 0
    return PaymentSnapshot(
        external_id=external_id,
        intent=id_of(found.get("payment_intent")),
        customer=id_of(found.get("customer")),
        status=_with_refund(status, amount, refunded),
        amount=amount,
        refunded=min(refunded, amount),
        currency=currency,
        receipt_url=_address(found.get("receipt_url")),
        paid_at=when(found.get("created")) if status == "paid" else None,
        holder_id=holder_of(found.get("metadata")),
        email=text(table(found.get("billing_details")).get("email"), characters_max=512),
        version=version,
    )


def session_payment(document: object, *, version: datetime | None = None) -> PaymentSnapshot | None:
    """A checkout page where something was paid once; None for every other, and as long as nothing is paid."""
    found = table(document)
    intent, currency = id_of(found.get("payment_intent")), currency_of(found.get("currency"))
    external_id = first(id_of(found.get("invoice")), intent)
    if (
        external_id is None
        or currency is None
        or (found.get("mode"), found.get("payment_status")) != ("payment", "paid")
    ):
        return None
    return PaymentSnapshot(
        external_id=external_id,
        intent=intent,
        customer=id_of(found.get("customer")),
        status="paid",
        amount=whole(found.get("amount_total")) or 0,
        currency=currency,
        paid_at=version,
        holder_id=holder_of(found.get("metadata"), {"holder_id": found.get("client_reference_id")}),
        email=text(table(found.get("customer_details")).get("email"), characters_max=512),
        version=version,
    )


def behind_charge(found: Document) -> ExternalId | None:
    """What a charge or intent belongs to, as far as it says: its invoice, itself when it is said to have none.

    Since March 2025 it says nothing (None): the answer is in the invoice's payments.
    """
    if "invoice" not in found:
        return None
    return first(id_of(found["invoice"]), id_of(found.get("payment_intent")), id_of(found))


def _invoice_status(found: Document, *, is_waiting: bool) -> PaymentStatus | None:
    raw = found.get("status")
    status = _INVOICE.get(raw) if isinstance(raw, str) else None
    # `attempted` is true of what was never due, too.
    if raw == "open" and whole(found.get("attempt_count")) and not is_waiting:
        return "failed"
    return status


def _with_refund(status: PaymentStatus | None, amount: int, refunded: int) -> PaymentStatus | None:
    if status != "paid" or refunded < 1 or amount < 1:
        return status
    return "refunded" if refunded >= amount else "partially_refunded"


def _subscription(found: Document) -> tuple[ExternalId | None, object]:
    # At the top until March 2025, below `parent` since; then both, for a while.
    below = table(table(found.get("parent")).get("subscription_details"))
    metadata = first(below.get("metadata"), table(found.get("subscription_details")).get("metadata"))
    return first(id_of(below.get("subscription")), id_of(found.get("subscription"))), metadata


def _reason(raw: object, *, is_subscribed: bool) -> Reason:
    known = _REASONS.get(raw) if isinstance(raw, str) else None
    # Old versions do not say it.
    return known or ("renewal" if is_subscribed and raw is None else "once")


def _period(lines: list[Document]) -> tuple[datetime | None, datetime | None]:
    # The invoice's own period is the one before; its lines say what was paid for.
    periods = [table(line.get("period")) for line in lines]
    starts = [time for one in periods if (time := when(one.get("start")))]
    ends = [time for one in periods if (time := when(one.get("end")))]
    start, end = min(starts, default=None), max(ends, default=None)
    return (None, None) if start and end and end < start else (start, end)


def _price(lines: list[Document]) -> ExternalId | None:
    # After a change there is a line for what was given back and one for what is new: the larger is what was bought.
    line = max(lines, key=lambda one: whole(one.get("amount")) or 0, default={})
    below = table(table(line.get("pricing")).get("price_details"))
    return first(id_of(below.get("price")), id_of(line.get("price")), id_of(line.get("plan")))


def _address(value: object) -> str | None:
    found = text(value)
    return found if found and found.startswith("https://") and found.isprintable() else None
