"""The contract's rig for those who sell in the product's stead: their stand-ins are acted upon alike."""

from datetime import datetime, timedelta
from typing import Any

from billing.providers.rig import Sent, Traits, subscription_of
from tenantry.billing.providers import BillingProvider, Cancel
from tenantry.billing.snapshots import ExternalId
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.deliveries import SellerStandIn


class SellerRig:
    """Our provider, and the stand-in that it asks, on one clock."""

    traits: Traits
    prices: tuple[ExternalId, ExternalId]
    once: ExternalId

    def __init__(
        self, standin: SellerStandIn, clock: FrozenClock, *, provider: BillingProvider, unset: BillingProvider
    ) -> None:
        self.standin, self.clock, self.provider, self.unset = standin, clock, provider, unset
        self.sent: list[Sent] = []

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def move(self, by: timedelta) -> None:
        self.clock.move(by)

    async def complete_checkout(self, address: str) -> ExternalId:
        return ExternalId(self.standin.act("pay", checkout=address.rpartition("/")[2])["subscription"])

    async def pay_once(self, address: str) -> ExternalId:
        return ExternalId(self.standin.act("pay", checkout=address.rpartition("/")[2])["order"])

    async def refund_once(self, payment: ExternalId, amount: int) -> None:
        self.standin.act("refund", order=payment.removeprefix("ord_"), amount=amount)

    async def renew(self, subscription: ExternalId, *, is_paid: bool = True) -> None:
        found: Any = await subscription_of(self, subscription)
        self.clock.set(found.period_end + timedelta(hours=1))
        goes_on = "renew" if is_paid else "fail"
        self.standin.act(goes_on if found.cancel_at is None else "end", subscription=subscription)

    async def cancel_in_portal(self, subscription: ExternalId) -> None:
        # What the portal does there is what the API does.
        await self.provider.change(subscription, Cancel())

    async def events(self) -> list[Sent]:
        told = self.standin.events[len(self.sent) :]
        self.sent += [Sent(one.body, one.headers) for one in told]
        return self.sent[-len(told) :] if told else []

    async def again(self, sent: Sent) -> Sent:
        self.clock.move(hours=1)
        one = self.standin.resent(self.sent.index(sent))
        return Sent(one.body, one.headers)

    async def away(self) -> None:
        self.standin.fault("broken_500", count=1000)

    async def slow(self) -> None:
        self.standin.fault("hang", count=1000)

    async def lying(self) -> None:
        self.standin.fault("garbage", count=1000)

    async def well(self) -> None:
        self.standin.clear()
