"""Stripe's products, prices, customers and subscriptions in the normal form, in every shape that Stripe gives them.

Until March 2025 a subscription had its period at the top, since then (version "basil") its items have it; some answers
carry both. An endpoint keeps the version it was made with, so all of them arrive, for years.
"""

from datetime import datetime

from ..snapshots import (
    TERMINAL,
    CustomerSnapshot,
    ExternalId,
    Interval,
    PriceSnapshot,
    ProductSnapshot,
    Snapshot,
    Status,
    SubscriptionSnapshot,
)
from .stripe_fields import Document, currency_of, details_of, first, holder_of, id_of, rows, table, text, when, whole

_STATUSES: dict[str, Status] = {
    "incomplete": "incomplete",
    "incomplete_expired": "expired",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "paused": "paused",
    "canceled": "canceled",
}
_GIVING: frozenset[Status] = frozenset({"trialing", "active", "past_due"})
_INTERVALS: dict[str, Interval] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_COUNT_MAX = 1_000_000


def product_of(document: object) -> ProductSnapshot | None:
    """A product; None when it is not expanded, or none."""
    found = table(document)
    external_id = id_of(found)
    if external_id is None:
        return None
    return ProductSnapshot(
        external_id=external_id,
        name=text(found.get("name"), characters_max=250) or external_id,
        description=text(found.get("description")),
        is_active=found.get("active") is True and found.get("deleted") is not True,
        details=details_of(found.get("metadata")),
    )


def price_of(document: object) -> PriceSnapshot | None:
    """A price; None when it is not expanded, or its product or currency cannot be read."""
    found = table(document)
    external_id, product, currency = id_of(found), id_of(found.get("product")), currency_of(found.get("currency"))
    if external_id is None or product is None or currency is None:
        return None
    recurring = table(found.get("recurring"))
    interval = recurring.get("interval")
    return PriceSnapshot(
        external_id=external_id,
        product=product,
        lookup=text(found.get("lookup_key"), characters_max=255),
        amount=whole(found.get("unit_amount")),
        currency=currency,
        interval=_INTERVALS.get(interval) if isinstance(interval, str) else None,
        interval_count=whole(recurring.get("interval_count"), most=_COUNT_MAX) or 1,
        is_active=found.get("active") is True and found.get("deleted") is not True,
        details=details_of(found.get("metadata")),
    )


def customer_of(document: object) -> CustomerSnapshot | None:
    """A customer; None when it is not expanded. One that was deleted has nothing but its id left."""
    found = table(document)
    external_id = id_of(found)
    if external_id is None:
        return None
    return CustomerSnapshot(
        external_id=external_id,
        email=text(found.get("email"), characters_max=512),
        holder_id=holder_of(found.get("metadata")),
        is_deleted=found.get("deleted") is True,
    )


def priced(document: object) -> list[Snapshot]:
    """A price with its product before it, where the product is expanded."""
    price = price_of(document)
    product = product_of(table(document).get("product"))
    return [one for one in (product, price) if one is not None]


def subscription_of(document: object, *, version: datetime | None = None) -> SubscriptionSnapshot | None:
    """A subscription; None without an id. A scheduled end is `cancel_at`, however Stripe says it."""
    found = table(document)
    external_id = id_of(found)
    if external_id is None:
        return None
    items, customer = rows(found.get("items")), table(found.get("customer"))
    start, end = _period(found, items)
    raw = text(found.get("status"), characters_max=100) or "unknown"
    status = _status(raw, found)
    item = items[0] if items else {}
    pause = table(found.get("pause_collection"))
    quantity = first(*(whole(one.get("quantity"), most=_COUNT_MAX) for one in (item, found)))
    return SubscriptionSnapshot(
        external_id=external_id,
        customer=id_of(found.get("customer")),
        price=_price_id(item, found),
        status=status,
        raw_status=raw,
        quantity=1 if quantity is None else quantity,
        period_start=start,
        period_end=end,
        trial_ends_at=when(found.get("trial_end")),
        cancel_at=None if status in TERMINAL else _cancel_at(found, end),
        ended_at=first(when(found.get("ended_at")), when(found.get("canceled_at"))) if status in TERMINAL else None,
        resumes_at=when(pause.get("resumes_at")) if status == "paused" else None,
        holder_id=holder_of(found.get("metadata"), customer.get("metadata")),
        email=text(customer.get("email"), characters_max=512),
        version=version,
    )


def subscription_with_all(document: Document) -> list[Snapshot]:
    """A subscription, after what it refers to as far as that is expanded: products, prices, the customer."""
    subscription = subscription_of(document)
    if subscription is None:
        return []
    found: dict[tuple[type, ExternalId], Snapshot] = {}
    for item in rows(document.get("items")):
        price = item.get("price")
        if isinstance(table(price).get("product"), dict):
            for one in priced(price):
                found.setdefault((type(one), _known_as(one)), one)
    customer = customer_of(document.get("customer"))
    return [*found.values(), *([customer] if customer else []), subscription]


def _known_as(one: Snapshot) -> ExternalId:
    return one.external_id or ExternalId("")


def _status(raw: str, found: Document) -> Status | None:
    status = _STATUSES.get(raw)
    # Invoices are voided while it is paused, so nothing is paid for; the other ways of pausing give it away.
    if status in _GIVING and table(found.get("pause_collection")).get("behavior") == "void":
        return "paused"
    return status


def _period(found: Document, items: list[Document]) -> tuple[datetime | None, datetime | None]:
    starts = [time for item in items if (time := when(item.get("current_period_start")))]
    ends = [time for item in items if (time := when(item.get("current_period_end")))]
    start = min(starts) if starts else when(found.get("current_period_start"))
    end = max(ends) if ends else when(found.get("current_period_end"))
    return (None, None) if start and end and end < start else (start, end)


def _cancel_at(found: Document, period_end: datetime | None) -> datetime | None:
    # The portal sets `cancel_at` alone; older versions set `cancel_at_period_end` alone.
    scheduled = when(found.get("cancel_at"))
    return period_end if scheduled is None and found.get("cancel_at_period_end") is True else scheduled


def _price_id(item: Document, found: Document) -> ExternalId | None:
    # `plan` is what a price was called before 2019; its ids are the same.
    return first(*(id_of(one.get(name)) for one in (item, found) for name in ("price", "plan")))
