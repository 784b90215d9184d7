"""Facts that billing announces, each once, in the transaction that writes it down."""

from datetime import datetime
from uuid import UUID

import msgspec


class PaymentSucceeded(msgspec.Struct, frozen=True):
    """A payment was made. Money that is given back later is `PaymentRefunded`."""

    holder_id: UUID
    payment_id: UUID


class PaymentPriced(msgspec.Struct, frozen=True):
    """What a payment was for has become known after the payment was. It may be told more than once."""

    holder_id: UUID
    payment_id: UUID


class PaymentRefunded(msgspec.Struct, frozen=True):
    """So much of a payment was given back in all by now, in minor units."""

    holder_id: UUID
    payment_id: UUID
    refunded_minor: int


class SubscriptionStarted(msgspec.Struct, frozen=True):
    """A subscription gives its plan for the first time, in trial or paid."""

    holder_id: UUID
    subscription_id: UUID


class SubscriptionCancelled(msgspec.Struct, frozen=True):
    """A subscription will not be renewed; it goes on until `ends_at`."""

    holder_id: UUID
    subscription_id: UUID
    ends_at: datetime


class SubscriptionPastDue(msgspec.Struct, frozen=True):
    """A payment of a subscription failed; its plan stays until `until`, None: until the provider gives up."""

    holder_id: UUID
    subscription_id: UUID
    until: datetime | None


class SubscriptionEnded(msgspec.Struct, frozen=True):
    """A subscription is over."""

    holder_id: UUID
    subscription_id: UUID


class TrialEnding(msgspec.Struct, frozen=True):
    """A trial ends soon, and its first payment is due then unless it was cancelled."""

    holder_id: UUID
    subscription_id: UUID
    ends_at: datetime


class HolderBilled(msgspec.Struct, frozen=True):
    """What a holder has by what is paid and granted has changed, or might have."""

    holder_id: UUID
    plan: str
