"""What a payment provider does for us, in our nouns. A provider is one file that keeps this Protocol."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

import msgspec

from ..snapshots import (
    CustomerSnapshot,
    ExternalId,
    Hint,
    ObjectKind,
    ProviderName,
    Snapshot,
)


class CheckoutPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the provider's where a customer pays. `trial_days` 0: none. `coupon` is the provider's own code.

    `key` names the wish: the same key opens one page, however often it is asked.
    """

    holder_id: UUID
    customer: ExternalId
    price: ExternalId
    quantity: int = 1
    trial_days: int = 0
    coupon: str | None = None
    success_url: str
    cancel_url: str
    key: str


class PortalPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the provider's where a customer sees to cards, invoices and the subscription."""

    customer: ExternalId
    return_url: str


class NewCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A holder whom the provider shall know. `key` as in `CheckoutPage`."""

    holder_id: UUID
    email: str
    name: str | None = None
    key: str


class PlanChange(msgspec.Struct, frozen=True):
    """Another price, now. `proration` as in `tenantry.Billing`."""

    price: ExternalId
    proration: Literal["prorate", "invoice", "none"]


class Cancel(msgspec.Struct, frozen=True):
    """No renewal: it ends with the period that is paid; `at_once`, now."""

    at_once: bool = False


class Resume(msgspec.Struct, frozen=True):
    """Take a cancellation that is still to come, or a pause, back."""


class Pause(msgspec.Struct, frozen=True):
    """Neither access nor payments until it is resumed, at the latest at `until`."""

    until: datetime | None = None


Change: TypeAlias = PlanChange | Cancel | Resume | Pause


class BillingProvider(Protocol):
    """Eight things, and closing. What asks the provider raises `ProviderAway` when it is late, busy or broken.

    No method is called while a unit of work is open. Snapshots come in an order in which they can be written: a product
    before its price, a price and a customer before a subscription.
    """

    name: ProviderName

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        """Verify an event against every configured secret, and say what it is about. Header names are lower-case.

        Raises `SecretUnset` (nothing can be verified), `SignatureRefused` (forged, stale, of the future, or none),
        `EventMalformed` (signed, but no event that could be read).
        """

    def told(self, body: bytes) -> list[Snapshot]:
        """What an event's payload says of its object, for when the provider cannot be asked; [] when too little."""

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        """The object as it is now, with what it refers to; [] when there is none."""

    def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        """Everything of a kind, page by page: products with their prices, subscriptions, payments, customers."""

    def missed(self, since: datetime) -> AsyncIterator[Hint]:
        """What the provider tried to tell since then and could not; nothing where it keeps no record."""

    async def customer(self, wanted: NewCustomer) -> CustomerSnapshot:
        """Make the customer, or find the one that was made for this holder before."""

    async def page(self, wanted: CheckoutPage | PortalPage) -> str:
        """The address of a page of the provider's, to send the browser to; good for some minutes."""

    async def change(self, subscription: ExternalId, change: Change) -> list[Snapshot]:
        """Change a subscription, and tell how it is then; what is so already stays so.

        Raises `ChangeRefused` with the provider's reason, also for what has ended; where that is known,
        `PlanNotForSale` and `SubscriptionNotFound`.
        """

    async def aclose(self) -> None:
        """Close the connections."""


__all__ = [
    "BillingProvider", "Cancel", "Change", "CheckoutPage", "NewCustomer", "Pause", "PlanChange",
    "PortalPage", "Resume",
]  # fmt: skip
