"""A customer's history at a provider: what happens there step by step, and the events it tells of it."""

import random
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import msgspec

from billing.truth import Event, Truth, subscription_of
from tenantry.billing.snapshots import ExternalId, PaymentSnapshot
from tenantry.testing.kit import START

MONTH = timedelta(days=31)


def steps(truth: Truth, holder: UUID | None, name: str, seed: int) -> Iterator[list[Event]]:
    """A trial, payments told several times, a failure, another plan, refunds, a pack, a cancellation, maybe an end."""
    choose = random.Random(seed)
    first = subscription_of(
        holder,
        "price_pro",
        external_id=f"sub_{name}",
        customer=f"cus_{name}",
        status="trialing",
        trial_ends_at=START + timedelta(days=14),
    )
    yield [truth.put(first), truth.put(first)]
    active = msgspec.structs.replace(first, status="active", raw_status="active", trial_ends_at=None)
    paid = payment(name, 1)
    yield [truth.put(msgspec.structs.replace(paid, status="pending")), truth.put(active), truth.put(paid)]
    yield [truth.put(paid), truth.put(msgspec.structs.replace(active, price="price_business"))]
    late = msgspec.structs.replace(
        active,
        price="price_business",
        status="past_due",
        raw_status="past_due",
        past_due_since=START + timedelta(days=1),
    )
    yield [truth.put(msgspec.structs.replace(payment(name, 2), status="failed", paid_at=None)), truth.put(late)]
    again = msgspec.structs.replace(late, status="active", raw_status="active", past_due_since=None)
    yield [truth.put(payment(name, 2)), truth.put(again)]
    yield [
        truth.put(msgspec.structs.replace(paid, refunded=300, status="partially_refunded")),
        truth.put(msgspec.structs.replace(paid, refunded=900, status="refunded")),
    ]
    pack = PaymentSnapshot(
        external_id=ExternalId(f"pack_{name}"),
        customer=ExternalId(f"cus_{name}"),
        price=ExternalId("price_pack"),
        status="paid",
        amount=900,
        paid_at=START,
        holder_id=holder,
    )
    yield [truth.put(pack), truth.put(msgspec.structs.replace(pack, refunded=300, status="partially_refunded"))]
    leaving = msgspec.structs.replace(again, cancel_at=START + timedelta(days=20))
    yield [truth.put(leaving)]
    match choose.randrange(3):
        case 0:
            yield [truth.put(msgspec.structs.replace(leaving, cancel_at=None))]
        case 1:
            gone = {"status": "canceled", "raw_status": "canceled", "ended_at": START + timedelta(hours=3)}
            yield [truth.put(msgspec.structs.replace(leaving, **gone))]
        case _:
            yield [truth.put(payment(name, 3))]


def payment(name: str, number: int) -> PaymentSnapshot:
    """One paid month of a customer's."""
    return PaymentSnapshot(
        external_id=ExternalId(f"in_{name}_{number}"),
        intent=ExternalId(f"pi_{name}_{number}"),
        customer=ExternalId(f"cus_{name}"),
        subscription=ExternalId(f"sub_{name}"),
        price=ExternalId("price_pro"),
        status="paid",
        reason="initial" if number == 1 else "renewal",
        amount=900,
        paid_at=START + MONTH * (number - 1),
    )
