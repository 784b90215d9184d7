"""What billing's statements give."""

from datetime import datetime
from uuid import UUID

import msgspec

from .snapshots import ExternalId, ObjectKind, PaymentStatus, ProviderName, Reason, Status


class Subscription(msgspec.Struct, frozen=True):
    """A subscription in the normal form; the columns of its table, in their order, without what is only ours."""

    id: UUID
    holder_id: UUID | None
    provider: ProviderName
    external_id: ExternalId
    customer: ExternalId | None
    email: str | None
    price_id: UUID | None
    plan: str | None
    status: Status
    raw_status: str
    quantity: int
    period_start: datetime | None
    period_end: datetime | None
    trial_ends_at: datetime | None
    cancel_at: datetime | None
    ended_at: datetime | None
    resumes_at: datetime | None
    past_due_since: datetime | None
    access_until: datetime | None
    slot: str
    version: datetime | None
    fetched_at: datetime | None
    created_at: datetime


class Payment(msgspec.Struct, frozen=True):
    """A payment, with how much of it was given back. `receipt_url` is the provider's, and may have ended."""

    id: UUID
    holder_id: UUID | None
    provider: ProviderName
    external_id: ExternalId
    intent: ExternalId | None
    customer: ExternalId | None
    subscription_external_id: ExternalId | None
    price_id: UUID | None
    status: PaymentStatus
    reason: Reason
    amount_minor: int
    refunded_minor: int
    currency: str
    number: str | None
    receipt_url: str | None
    paid_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    version: datetime | None
    fetched_at: datetime | None
    created_at: datetime


class StoredEvent(msgspec.Struct, frozen=True):
    """An event as it was received, for who works on it."""

    id: UUID
    provider: ProviderName
    event: str
    object_kind: ObjectKind | None
    object_id: ExternalId | None
    occurred_at: datetime | None
    received_at: datetime
    body: bytes | None
    status: str
    attempts: int
