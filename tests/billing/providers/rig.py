"""What the contract needs of a provider's other side: what people and time do there."""

from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import msgspec

from tenantry.billing.providers import BillingProvider, CheckoutPage, NewCustomer
from tenantry.billing.snapshots import (
    ExternalId,
    ObjectKind,
    PaymentSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.ids import new_id

SUCCESS = "http://127.0.0.1:8000/billing/success"
CANCEL = "http://127.0.0.1:8000/pricing"


class Sent(msgspec.Struct, frozen=True):
    """An event as it goes over the wire; header names are lower-case."""

    body: bytes
    headers: dict[str, str]


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """Where providers rightly differ.

    `is_dated`: the signature covers the time it was made. `keeps_misses`: it has a record of what it could not deliver.
    `repeats_pages`: one key opens one page. `untold`: fields of snapshots that its payloads tell otherwise.
    `page_size`: how many a page of a list has at most, in the stand-in that is asked. `names_holders`: what is read
    says whom our checkout named; else events alone do. `customers_of_address`: what becomes of a second holder with an
    address that is a customer's. `later`: proration that changes the plan with the next period. `pauses_later`: a pause
    begins with the end of the period. `ends_at_once`: it can be cancelled before its period ends.
    """

    is_dated: bool = True
    keeps_misses: bool = True
    repeats_pages: bool = True
    untold: frozenset[str] = frozenset()
    page_size: int = 100
    names_holders: bool = True
    customers_of_address: Literal["another", "one", "refused"] = "another"
    later: frozenset[str] = frozenset()
    pauses_later: bool = False
    ends_at_once: bool = True


class Rig(Protocol):
    """A provider of ours and the stand-in that it asks. Everything a test does at the other side goes through here.

    `prices`: the ids of two monthly prices of different plans, the first the cheaper one. `once`: that of one that is
    paid once. `unset`: the same provider
    without a webhook secret, None where that cannot be.
    """

    provider: BillingProvider
    unset: BillingProvider | None
    traits: Traits
    prices: tuple[ExternalId, ExternalId]
    once: ExternalId

    @property
    def now(self) -> datetime:
        """The time of both sides."""

    async def move(self, by: timedelta) -> None:
        """Let time pass on both sides; what is due at the provider happens."""

    async def complete_checkout(self, address: str) -> ExternalId:
        """Pay on the page, as its buyer; answers the subscription that this made."""

    async def pay_once(self, address: str) -> ExternalId:
        """The same where something is paid once; answers the payment."""

    async def refund_once(self, payment: ExternalId, amount: int) -> None:
        """Give back so much of such a payment."""

    async def renew(self, subscription: ExternalId, *, is_paid: bool = True) -> None:
        """Let the period pass to its end and a little further; the payment that is due then is made, or fails."""

    async def refund(self, payment: ExternalId, amount: int) -> None:
        """Give back so much of a payment."""

    async def cancel_in_portal(self, subscription: ExternalId) -> None:
        """Cancel with the end of the period, as the buyer."""

    async def events(self) -> list[Sent]:
        """What was sent since it was last asked for, in the order in which it happened."""

    async def again(self, sent: Sent) -> Sent:
        """The same event once more, as the provider repeats it later by itself or on demand."""

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str | None = None) -> Sent:
        """Any body, signed as by the provider: at another time, or with a secret that is not ours."""

    async def lose(self) -> None:
        """From now on nothing that is sent arrives."""

    async def away(self) -> None:
        """From now on every question is answered by an error of theirs (5xx)."""

    async def slow(self) -> None:
        """From now on no question is answered within a minute."""

    async def lying(self) -> None:
        """From now on every question is answered 200 with JSON of another shape: lists, numbers, deep nesting."""

    async def well(self) -> None:
        """Everything works again."""


async def bought(rig: Rig, *, price: int = 0, **wanted: Any) -> SubscriptionSnapshot:
    """A new holder's subscription, through the checkout page."""
    page = await checkout_of(rig, price=price, **wanted)
    made = await rig.complete_checkout(await rig.provider.page(page))
    return await subscription_of(rig, made)


async def checkout_of(rig: Rig, *, price: int = 0, **wanted: Any) -> CheckoutPage:
    """The wish of a new holder, whom the provider has been told of."""
    holder = new_id()
    customer = await rig.provider.customer(customer_of(holder_id=holder))
    values = {
        "holder_id": holder,
        "customer": customer.external_id,
        "price": rig.prices[price],
        "success_url": SUCCESS,
        "cancel_url": CANCEL,
        "key": str(new_id()),
    }
    return CheckoutPage(**(values | wanted))


def customer_of(**wanted: Any) -> NewCustomer:
    """A new holder."""
    holder = wanted.get("holder_id") or new_id()
    values = {"email": f"{holder}@example.com", "name": "Ada Lovelace", "key": str(new_id())}
    return NewCustomer(**({"holder_id": holder} | values | wanted))


async def subscription_of(rig: Rig, external_id: ExternalId) -> SubscriptionSnapshot:
    """As it is read now."""
    found = [one for one in await rig.provider.read("subscription", external_id) if is_of("subscription", one)]
    assert len(found) == 1, found
    assert isinstance(found[0], SubscriptionSnapshot)
    return found[0]


async def payments_of(rig: Rig, subscription: ExternalId) -> list[PaymentSnapshot]:
    """Every payment of a subscription, the oldest first."""
    found = [one async for page in rig.provider.listed("payment") for one in page if isinstance(one, PaymentSnapshot)]
    return sorted((one for one in found if one.subscription == subscription), key=lambda one: str(one.period_start))


KINDS: dict[ObjectKind, str] = {
    "product": "ProductSnapshot",
    "price": "PriceSnapshot",
    "customer": "CustomerSnapshot",
    "subscription": "SubscriptionSnapshot",
    "payment": "PaymentSnapshot",
}


def is_of(kind: ObjectKind, snapshot: Snapshot) -> bool:
    """Whether it is a snapshot of that kind."""
    return type(snapshot).__name__ == KINDS[kind]
