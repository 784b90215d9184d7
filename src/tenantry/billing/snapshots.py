"""What a provider's objects look like to us: the normal form, whatever the provider calls it.

Ids are the provider's, always text. Times are aware UTC; money is minor units with a currency in capital letters. Words
that a provider may invent anew are kept raw beside the normal one.
"""

from datetime import datetime
from typing import Literal, NewType, TypeAlias
from uuid import UUID

import msgspec

ExternalId = NewType("ExternalId", str)
"""A provider's id of something. Ours are UUIDs; the two never mix."""

ProviderName: TypeAlias = Literal["stripe", "polar", "lemonsqueezy", "fake"]
ObjectKind: TypeAlias = Literal["subscription", "payment", "customer", "product", "price"]
Status: TypeAlias = Literal["incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled", "expired"]
PaymentStatus: TypeAlias = Literal["pending", "paid", "failed", "partially_refunded", "refunded", "void"]
Reason: TypeAlias = Literal["initial", "renewal", "change", "once"]
Interval: TypeAlias = Literal["day", "week", "month", "year"]

TERMINAL: frozenset[Status] = frozenset({"canceled", "expired"})
"""What no payload opens again; only reading the object does."""
RECEIVED: frozenset[PaymentStatus] = frozenset({"paid", "partially_refunded", "refunded"})
"""The money came, whatever was given back of it since."""


class ProductSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is sold. `details` is the provider's metadata, values as text."""

    external_id: ExternalId
    name: str
    description: str | None = None
    is_active: bool = True
    details: dict[str, str] = {}


class PriceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A price. `amount` None: named by the buyer, or by tiers. `interval` None: paid once."""

    external_id: ExternalId
    product: ExternalId
    lookup: str | None = None
    amount: int | None = None
    currency: str = "USD"
    interval: Interval | None = None
    interval_count: int = 1
    is_active: bool = True
    details: dict[str, str] = {}


class CustomerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays. `holder_id`: whom we said it is when we made it; None for one that was made elsewhere."""

    external_id: ExternalId
    email: str | None = None
    holder_id: UUID | None = None
    is_deleted: bool = False


class SubscriptionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription. `status` None: the provider's word is unknown to us, and the row keeps the status it has.

    `cancel_at`: when it will end, where that is decided; it is in force until then. `past_due_since`: where the
    provider says it. `holder_id`: whom our checkout said it is for. `email`: the buyer's, as the provider has it, which
    proves nothing. `version`: the provider's time of this state, for ordering payloads; None in what was read.
    """

    external_id: ExternalId
    customer: ExternalId | None = None
    price: ExternalId | None = None
    status: Status | None
    raw_status: str
    quantity: int = 1
    period_start: datetime | None = None
    period_end: datetime | None = None
    trial_ends_at: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    resumes_at: datetime | None = None
    past_due_since: datetime | None = None
    holder_id: UUID | None = None
    email: str | None = None
    version: datetime | None = None


class PaymentSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A payment: one per invoice or order, else one per charge. `refunded` never exceeds `amount`.

    `external_id` None: the payload tells of a charge whose invoice it does not name; only reading finds out.
    """

    external_id: ExternalId | None
    intent: ExternalId | None = None
    customer: ExternalId | None = None
    subscription: ExternalId | None = None
    price: ExternalId | None = None
    status: PaymentStatus | None
    reason: Reason = "once"
    amount: int = 0
    refunded: int = 0
    currency: str = "USD"
    number: str | None = None
    receipt_url: str | None = None
    paid_at: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    holder_id: UUID | None = None
    email: str | None = None
    version: datetime | None = None


Snapshot: TypeAlias = ProductSnapshot | PriceSnapshot | CustomerSnapshot | SubscriptionSnapshot | PaymentSnapshot


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified event says: that something about an object may have changed.

    `dedupe_key` is the same for every repetition of the event. Without an `object_kind` the event is not for us: it is
    stored and left alone. `is_live`: False for the provider's test mode.
    """

    dedupe_key: str
    event: str
    object_kind: ObjectKind | None = None
    object_id: ExternalId | None = None
    occurred_at: datetime | None = None
    is_live: bool = True
