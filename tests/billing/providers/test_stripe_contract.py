"""Stripe keeps what every provider keeps."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from billing.providers.contract import Contract
from billing.providers.rig import Sent, Traits
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.snapshots import ExternalId
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.stripe import STRIPE_KEY, STRIPE_WEBHOOK_SECRET, StripeStandIn, start_stripe


class StripeRig:
    """Our provider, and the stand-in that it asks, on one clock."""

    # An invoice's payload names neither its payment intent nor, in a subscription's, the address of the buyer.
    traits = Traits(untold=frozenset({"intent", "email"}))

    def __init__(self, standin: StripeStandIn, clock: FrozenClock) -> None:
        self.standin, self.clock = standin, clock
        asked = {"base_url": standin.url, "key": STRIPE_KEY}
        self.provider = StripeProvider(Credentials(**asked, webhook_secrets=(STRIPE_WEBHOOK_SECRET,)), clock)
        self.unset = StripeProvider(Credentials(**asked), clock)
        account = standin.account
        products = [account.product(name)["id"] for name in ("Pro", "Team")]
        prices = [
            account.price(product, amount, lookup_key=product)["id"]
            for product, amount in zip(products, (900, 2900), strict=True)
        ]
        self.prices = ExternalId(prices[0]), ExternalId(prices[1])
        pack = account.product("Tokens")["id"]
        self.once = ExternalId(account.price(pack, 700, interval=None)["id"])

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def move(self, by: timedelta) -> None:
        self.clock.move(by)

    async def complete_checkout(self, address: str) -> ExternalId:
        return ExternalId(self.standin.account.complete(urlsplit(address).path.rpartition("/")[2])["id"])

    async def pay_once(self, address: str) -> ExternalId:
        return await self.complete_checkout(address)

    async def refund_once(self, payment: ExternalId, amount: int) -> None:
        self.standin.account.refund(payment, amount)

    async def renew(self, subscription: ExternalId, *, is_paid: bool = True) -> None:
        account = self.standin.account
        found = account.get("subscription", subscription)
        end = found["items"]["data"][0]["current_period_end"]
        self.clock.set(datetime.fromtimestamp(end, UTC) + timedelta(hours=1))
        if not is_paid:
            account.declined.add(found["customer"])
        account.renew(subscription)

    async def refund(self, payment: ExternalId, amount: int) -> None:
        account = self.standin.account
        account.refund(account.get("invoice", payment)["_"]["intent"], amount)

    async def cancel_in_portal(self, subscription: ExternalId) -> None:
        # The portal sets the date alone.
        found = self.standin.account.get("subscription", subscription)
        found["cancel_at"] = found["items"]["data"][0]["current_period_end"]
        self.standin.account.tell("customer.subscription.updated", found, cancel_at=None)

    async def events(self) -> list[Sent]:
        return [Sent(one.body, one.headers) for one in self.standin.deliveries()]

    async def again(self, sent: Sent) -> Sent:
        return self.signed(sent.body)

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str | None = None) -> Sent:
        time = int((at or self.now).timestamp())
        key = (secret or STRIPE_WEBHOOK_SECRET).encode()
        made = hmac.new(key, b"%d.%s" % (time, body), hashlib.sha256).hexdigest()
        return Sent(body, {"stripe-signature": f"t={time},v1={made}"})

    async def lose(self) -> None:
        """Nothing: what nobody fetches is not delivered."""

    async def away(self) -> None:
        self.standin.fault("500", count=1000)

    async def slow(self) -> None:
        self.standin.fault("hang", count=1000)

    async def lying(self) -> None:
        self.standin.fault("lying", count=1000, kind="shape")

    async def well(self) -> None:
        self.standin.clear()


class TestStripe(Contract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[StripeRig]:
        clock = FrozenClock(datetime(2026, 11, 18, 12, tzinfo=UTC))
        with start_stripe(now=clock.now) as standin:
            made = StripeRig(standin, clock)
            yield made
            await made.provider.aclose()
