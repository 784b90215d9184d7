"""The provider of the stand-in keeps the contract of all of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from billing.providers.contract import Contract
from billing.providers.rig import Sent, Traits, bought
from tenantry import Meter, Plan, Price, Product
from tenantry.billing.demo import DEMO_WEBHOOK_SECRET
from tenantry.billing.errors import ChangeRefused, EventMalformed, ProviderAway, SignatureRefused
from tenantry.billing.providers import BillingProvider, Cancel
from tenantry.billing.providers.fake import FakeProvider
from tenantry.billing.snapshots import ExternalId, PriceSnapshot, ProductSnapshot
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins import start_billing
from tenantry.testing.standins.billing import BillingStandIn
from tenantry.testing.standins.billing_events import signed

START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
requests = Meter("requests", per="day")


def product_of() -> Product:
    return Product(
        "Acme",
        plans=[
            Plan("free", price=0, limits={requests: 5}),
            Plan("pro", price=900, limits={requests: 50}, other_prices=[Price(9000, interval="year")]),
            Plan("team", price=Price(2900, lookup="team-monthly"), limits={requests: 500}),
            Plan("later", price=None, limits={requests: 900}),
        ],
    )


class FakeRig:
    """The stand-in, and our provider for it."""

    unset: BillingProvider | None = None
    traits = Traits(page_size=4)
    prices = (ExternalId("price_pro_month"), ExternalId("price_team-monthly"))

    def __init__(self, standin: BillingStandIn, clock: FrozenClock) -> None:
        self.standin = standin
        self.clock = clock
        self.provider: BillingProvider = FakeProvider(standin.url, clock)
        self.once = ExternalId(standin.sell("500 tokens", 700, details={"tokens": "500"}))
        standin.take()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def move(self, by: timedelta) -> None:
        self.clock.move(by)

    async def complete_checkout(self, address: str) -> ExternalId:
        return ExternalId(self.standin.pay(address))

    async def pay_once(self, address: str) -> ExternalId:
        return ExternalId(self.standin.pay(address))

    async def refund_once(self, payment: ExternalId, amount: int) -> None:
        self.standin.refund(payment, amount)

    async def renew(self, subscription: ExternalId, *, is_paid: bool = True) -> None:
        if not is_paid:
            self.standin.fail_payments(subscription)
        (found,) = [
            one for one in await self.provider.read("subscription", subscription) if one.external_id == subscription
        ]
        self.clock.set(found.period_end + timedelta(hours=1))

    async def refund(self, payment: ExternalId, amount: int) -> None:
        self.standin.refund(payment, amount)

    async def cancel_in_portal(self, subscription: ExternalId) -> None:
        self.standin.cancel(subscription)

    async def events(self) -> list[Sent]:
        return [Sent(one.body, one.headers) for one in self.standin.take()]

    async def again(self, sent: Sent) -> Sent:
        self.clock.move(hours=1)
        self.standin.resend(sent.headers["x-fake-id"])
        (repeated,) = await self.events()
        assert repeated.headers["x-fake-timestamp"] != sent.headers["x-fake-timestamp"]
        return repeated

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str | None = None) -> Sent:
        one = signed("evt_of_the_test", body, at=at or self.now, secret=secret or DEMO_WEBHOOK_SECRET)
        return Sent(one.body, one.headers)

    async def lose(self) -> None:
        self.standin.lose()

    async def away(self) -> None:
        self.standin.fault("away", count=1000)

    async def slow(self) -> None:
        self.standin.fault("slow", count=1000, seconds=60)

    async def lying(self) -> None:
        self.standin.fault("lying", count=1000)

    async def well(self) -> None:
        self.standin.clear()


@pytest.fixture
async def rig() -> AsyncIterator[FakeRig]:
    clock = FrozenClock(START)
    with start_billing(product_of(), now=clock.now) as standin:
        standin.page_size(FakeRig.traits.page_size)
        made = FakeRig(standin, clock)
        yield made
        await made.provider.aclose()


class TestFake(Contract):
    """All of it."""


async def test_the_catalogue_is_the_declarations(rig):
    found = [one async for page in rig.provider.listed("product") for one in page]
    # Beside what other tests sold there without a declaration.
    products = [one for one in found if isinstance(one, ProductSnapshot) and "plan" in one.details]
    prices = [one for one in found if isinstance(one, PriceSnapshot) and one.lookup]
    assert [(one.name, one.details) for one in products] == [
        ("Acme Pro", {"plan": "pro"}),
        ("Acme Team", {"plan": "team"}),
    ]
    assert [(one.lookup, one.amount, one.currency, one.interval) for one in prices] == [
        ("pro_month", 900, "USD", "month"),
        ("pro_year", 9000, "USD", "year"),
        ("team-monthly", 2900, "USD", "month"),
    ]


@pytest.mark.parametrize("kind", ["html", "deep", *"0123456"])
async def test_every_lie_is_seen(rig, kind):
    subscription = await bought(rig)
    rig.standin.fault("lying", count=1000, kind=kind)
    for question in (
        rig.provider.read("subscription", subscription.external_id),
        rig.provider.change(subscription.external_id, Cancel()),
        anext(rig.provider.listed("customer")),
        anext(rig.provider.missed(START)),
    ):
        with pytest.raises(ProviderAway):
            await question


async def test_a_busy_provider_says_when_to_come_back(rig):
    rig.standin.fault("busy", retry_after="17")
    with pytest.raises(ProviderAway) as refused:
        await rig.provider.read("customer", ExternalId("cus_1"))
    assert refused.value.headers["Retry-After"] == "17"


async def test_a_refusal_tells_the_reason(rig):
    subscription = await bought(rig)
    await rig.provider.change(subscription.external_id, Cancel(at_once=True))
    with pytest.raises(ChangeRefused) as refused:
        await rig.provider.change(subscription.external_id, Cancel())
    assert refused.value.detail == "It has ended."


@pytest.mark.parametrize("sent_at", ["", "now", "-1", "1e9", "٣", "9" * 13, "9" * 5000])
async def test_a_time_that_is_none_is_refused(rig, sent_at):
    await bought(rig)
    sent = (await rig.events())[-1]
    with pytest.raises(SignatureRefused):
        rig.provider.hint(sent.body, sent.headers | {"x-fake-timestamp": sent_at}, now=rig.now)


async def test_an_event_about_something_new_is_stored_and_left_alone(rig):
    body = b'{"id": "e", "event": "moon.full", "kind": "moon", "object_id": "m", "occurred_at": "2026-03-14T12:00:00Z"}'
    sent = rig.signed(body)
    hint = rig.provider.hint(sent.body, sent.headers, now=rig.now)
    assert (hint.event, hint.object_kind, hint.object_id) == ("moon.full", None, None)
    assert rig.provider.told(body) == []


async def test_an_endless_id_is_malformed(rig):
    await bought(rig)
    body = (await rig.events())[-1].body
    sent = signed("e" * 256, body, at=rig.now)
    with pytest.raises(EventMalformed):
        rig.provider.hint(sent.body, sent.headers, now=rig.now)
