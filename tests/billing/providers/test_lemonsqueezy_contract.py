"""Lemon Squeezy keeps what every provider keeps, as far as it can."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from billing.providers.contract import Contract
from billing.providers.rig import Sent, Traits
from billing.providers.seller_rig import SellerRig
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.lemonsqueezy import LemonSqueezyProvider
from tenantry.billing.snapshots import ExternalId, PriceSnapshot
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.lemonsqueezy import LEMONSQUEEZY_KEY, LEMONSQUEEZY_SECRET, STORE, start_lemonsqueezy


class LemonSqueezyRig(SellerRig):
    # Whose it is stands in events alone; what was bought and the order of an invoice, in its subscription.
    traits = Traits(
        is_dated=False,
        keeps_misses=False,
        names_holders=False,
        ends_at_once=False,
        customers_of_address="one",
        untold=frozenset({"holder_id", "price", "intent"}),
    )

    async def pay_once(self, address: str) -> ExternalId:
        return ExternalId(f"ord_{await super().pay_once(address)}")

    async def refund(self, payment: ExternalId, amount: int) -> None:
        self.standin.act("refund", invoice=payment.removeprefix("inv_"), amount=amount)

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str | None = None) -> Sent:
        key = (secret or LEMONSQUEEZY_SECRET).encode()
        return Sent(body, {"x-signature": hmac.new(key, body, hashlib.sha256).hexdigest()})

    async def lose(self) -> None:
        """Nothing: what nobody fetches is not delivered, and there is no record of it."""


class TestLemonSqueezy(Contract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[LemonSqueezyRig]:
        clock = FrozenClock(datetime(2026, 11, 18, 12, tzinfo=UTC))
        with start_lemonsqueezy(now=clock.now) as standin:
            asked = {"base_url": standin.url, "key": LEMONSQUEEZY_KEY, "store": STORE}
            provider = LemonSqueezyProvider(Credentials(**asked, webhook_secrets=(LEMONSQUEEZY_SECRET,)), clock)
            made = LemonSqueezyRig(
                standin, clock, provider=provider, unset=LemonSqueezyProvider(Credentials(**asked), clock)
            )
            listed = [one async for page in provider.listed("product") for one in page]
            prices = {one.lookup: one.external_id for one in listed if isinstance(one, PriceSnapshot)}
            made.prices, made.once = (prices["pro-monthly"], prices["team-monthly"]), prices["credits-once"]
            yield made
            await provider.aclose()
