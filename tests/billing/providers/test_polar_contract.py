"""Polar keeps what every provider keeps."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from billing.providers.contract import Contract
from billing.providers.rig import Sent, Traits
from billing.providers.seller_rig import SellerRig
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.polar import PolarProvider
from tenantry.billing.snapshots import ExternalId
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins.polar import POLAR_KEY, POLAR_SECRET, polar_id, start_polar
from tenantry.testing.standins.polar_world import PRICES


class PolarRig(SellerRig):
    traits = Traits(later=frozenset({"none"}), pauses_later=True, customers_of_address="refused")
    prices = ExternalId(polar_id("price:pro_monthly")), ExternalId(polar_id("price:team_monthly"))

    once = ExternalId(polar_id("price:tokens_once"))

    async def refund(self, payment: ExternalId, amount: int) -> None:
        self.standin.act("refund", order=payment, amount=amount)

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str | None = None) -> Sent:
        sent, key = int((at or self.now).timestamp()), (secret or POLAR_SECRET).encode()
        made = hmac.digest(key, b"of-the-test.%d.%s" % (sent, body), hashlib.sha256)
        given = {"webhook-id": "of-the-test", "webhook-timestamp": str(sent)}
        return Sent(body, {**given, "webhook-signature": f"v1,{base64.b64encode(made).decode()}"})

    async def lose(self) -> None:
        self.standin.act("lose")


class TestPolar(Contract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[PolarRig]:
        clock = FrozenClock(datetime(2026, 11, 18, 12, tzinfo=UTC))
        with start_polar(now=clock.now, prices={**PRICES, "tokens_once": 700}) as standin:
            asked = {"base_url": standin.url, "key": POLAR_KEY}
            provider = PolarProvider(Credentials(**asked, webhook_secrets=(POLAR_SECRET,)), clock)
            yield PolarRig(standin, clock, provider=provider, unset=PolarProvider(Credentials(**asked), clock))
            await provider.aclose()
