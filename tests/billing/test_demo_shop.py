"""A purchase at the stand-in payment provider, from the page to the plan, however badly it is told. Both databases."""

import random
from collections import Counter
from datetime import timedelta

import pytest

from billing.conftest import paid_product
from billing.providers.rig import CANCEL, SUCCESS
from tenantry.billing import BillingProviders
from tenantry.billing.providers import Cancel, CheckoutPage, NewCustomer, Pause, PlanChange, Resume
from tenantry.billing.providers.fake import FakeProvider
from tenantry.billing.queries import owners, payments, subscriptions
from tenantry.billing.snapshots import ExternalId
from tenantry.billing.sync import fill_gaps, sync
from tenantry.billing.worker import drain
from tenantry.kernel.ids import new_id
from tenantry.testing.standins import start_billing


class Buyer:
    """Ada, whose application is paid through the stand-in."""

    def __init__(self, kit, shop):
        self.kit, self.shop = kit, shop
        self.provider = kit.system.port(BillingProviders).primary

    async def buy(self, holder, price="price_pro_month", *, trial_days=0):
        asked = NewCustomer(holder_id=holder, email="ada@example.com", key=str(new_id()))
        customer = await self.provider.customer(asked)
        page = CheckoutPage(
            holder_id=holder,
            customer=customer.external_id,
            price=ExternalId(price),
            trial_days=trial_days,
            success_url=SUCCESS,
            cancel_url=CANCEL,
            key=str(new_id()),
        )
        return ExternalId(self.shop.pay(await self.provider.page(page)))

    async def deliver(self, taken=None):
        client = await self.kit.client()
        for one in self.shop.take() if taken is None else taken:
            answer = await client.post("/webhooks/fake", content=one.body, headers=one.headers)
            assert answer.status_code == 204, answer.text

    async def work(self):
        while await drain(self.kit.runtime):
            pass

    async def settle(self):
        await self.deliver()
        await self.work()

    async def plan(self):
        # A session of its own: the clock is moved by more than one lasts.
        return (await (await self.kit.sign_in("ada")).get("/v1/me")).json()["plan"]["name"]

    async def row(self, made):
        async with self.kit.system.service(writes=False) as ctx:
            return await subscriptions.subscription(ctx.db, "fake", made)

    async def paid(self, made):
        async with self.kit.system.service(writes=False) as ctx:
            rows = [await payments.payment(ctx.db, "fake", one.id) for one in self.shop.payments(made)]
        return [(one.status, one.reason, one.amount_minor) for one in rows if one]


@pytest.fixture
async def buyer(start, clock):
    with start_billing(paid_product(), now=clock.now) as shop:
        kit = await start(paid_product(), clock=clock, demo_billing=shop.url)
        await kit.sign_in("ada")
        yield Buyer(kit, shop)


@pytest.fixture
async def holder(buyer):
    async with buyer.kit.system.service(writes=False) as ctx:
        return await owners.lock_by_email(ctx.db, "ada@example.com")


async def test_the_application_asks_the_stand_in_when_it_is_told_to(buyer):
    assert isinstance(buyer.provider, FakeProvider)


async def test_a_purchase_gives_the_plan(buyer, holder):
    made = await buyer.buy(holder)
    assert await buyer.plan() == "free"
    await buyer.settle()
    assert await buyer.plan() == "pro"
    assert await buyer.paid(made) == [("paid", "initial", 900)]


@pytest.mark.parametrize("seed", range(5))
async def test_a_life_told_badly_ends_like_one_told_well(buyer, holder, seed):
    """Repeated, shuffled, some of it lost; what was lost is asked for, and the end is what the provider says."""
    chance = random.Random(seed)
    began = buyer.kit.clock.now()
    buyer.shop.repeat(1)
    buyer.shop.hold()
    made = await buyer.buy(holder)
    change = buyer.provider.change
    await change(made, PlanChange(ExternalId("price_business_month"), "invoice"))
    await change(made, Pause())
    buyer.shop.lose(chance.randrange(3))
    await change(made, Resume())
    await buyer.kit.move(days=32)
    buyer.shop.fail_payments(made)
    buyer.shop.let_pass(made)
    buyer.shop.release(shuffled=seed)
    taken = buyer.shop.take()
    for part in (taken[: len(taken) // 2], taken[len(taken) // 2 :]):
        await buyer.deliver(part)
        await buyer.work()
    await fill_gaps(buyer.kit.system, buyer.provider, since=began)
    await buyer.work()
    row = await buyer.row(made)
    (truth,) = [one for one in await buyer.provider.read("subscription", made) if one.external_id == made]
    assert (row.status, row.period_end, row.plan) == (truth.status, truth.period_end, "business")
    assert row.status == "past_due"
    assert await buyer.plan() == "business"
    told = [(one.status, one.reason, one.amount) for one in buyer.shop.payments(made)]
    assert Counter(await buyer.paid(made)) == Counter(told)
    await buyer.kit.move(days=1)
    assert await buyer.plan() == "business"
    report = await sync(buyer.kit.system, buyer.provider)
    assert {one.kind for one in report.drift} <= {"subscription", "payment"}
    assert (await sync(buyer.kit.system, buyer.provider)).drift == []


async def test_a_trial_a_failure_and_the_end_of_grace(buyer, holder):
    made = await buyer.buy(holder, trial_days=14)
    await buyer.settle()
    assert (await buyer.row(made)).status == "trialing"
    assert await buyer.plan() == "pro"
    buyer.shop.fail_payments(made, 9)
    await buyer.kit.move(days=14, seconds=1)
    buyer.shop.payments(made)
    await buyer.settle()
    assert (await buyer.row(made)).status == "past_due"
    assert await buyer.plan() == "pro"
    await buyer.kit.move(days=8)
    assert await buyer.plan() == "free"


async def test_a_refund_and_a_cancellation_at_the_provider(buyer, holder):
    made = await buyer.buy(holder)
    buyer.shop.refund(buyer.shop.payments(made)[0].id, 300)
    buyer.shop.cancel(made)
    await buyer.settle()
    assert await buyer.paid(made) == [("partially_refunded", "initial", 900)]
    row = await buyer.row(made)
    assert (row.status, row.cancel_at) == ("active", row.period_end)
    assert await buyer.plan() == "pro"
    await buyer.kit.set_time(row.period_end + timedelta(seconds=1))
    assert await buyer.plan() == "free"
    # What the provider did at the end is told when it is asked, or by its own clock.
    await buyer.provider.read("subscription", made)
    await buyer.settle()
    assert (await buyer.row(made)).status == "canceled"


async def test_a_cancellation_at_once(buyer, holder):
    made = await buyer.buy(holder)
    await buyer.settle()
    await buyer.provider.change(made, Cancel(at_once=True))
    await buyer.settle()
    assert await buyer.plan() == "free"


async def test_an_old_event_is_refused_and_the_same_one_sent_again_is_taken(buyer, holder):
    await buyer.buy(holder)
    taken = buyer.shop.take()
    await buyer.kit.move(minutes=10)
    client = await buyer.kit.client()
    for one in taken:
        answer = await client.post("/webhooks/fake", content=one.body, headers=one.headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "billing.signature_refused")
        buyer.shop.resend(one.event_id)
    await buyer.settle()
    assert await buyer.plan() == "pro"


async def test_while_it_is_away_its_word_counts(buyer, holder):
    await buyer.buy(holder)
    await buyer.settle()
    made = await buyer.buy(holder, "price_business_month")
    buyer.shop.fault("away", count=1000)
    await buyer.settle()
    buyer.shop.clear()
    await buyer.kit.move(hours=2)
    await buyer.work()
    assert (await buyer.row(made)).plan == "business"
    assert await buyer.plan() == "business"
