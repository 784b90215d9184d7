"""What the clock does, where there is much of it, and where part of it fails."""

import asyncio
from datetime import timedelta

import msgspec
from sqlalchemy import func, select

from billing.conftest import Paying, paid_product
from billing.truth import Truth, subscription_of
from tenantry.billing import BillingProviders, operating
from tenantry.billing.events import SubscriptionStarted
from tenantry.billing.jobs import BATCH, FIRST, JOBS
from tenantry.billing.models import BillingEvents, BillingFacts
from tenantry.billing.queries import owners, reading, subscriptions
from tenantry.billing.snapshots import ExternalId
from tenantry.billing.sync import sync, sync_products
from tenantry.kernel import Module, new_id
from tenantry.kernel.database import statement
from tenantry.kernel.problems import DatabaseConflict
from tenantry.testing.kit import START

_reminded = statement(select(func.count()).where(BillingFacts.fact.like("subscription:%trial_ending%")))
_bodies = statement(select(func.count()).where(BillingEvents.body.is_not(None)))
MONTH = timedelta(days=31)


async def many(paying, number, **given):
    """So many subscriptions that are nobody's, of which no event told."""
    paying.truth.sell("pro")
    for index in range(number):
        paying.truth.put(
            subscription_of(None, "price_pro", external_id=f"sub_{index:04}", customer=f"cus_{index:04}", **given)
        )
    await sync(paying.kit.system, paying.truth)


async def row_of(paying, external_id):
    async with paying.kit.system.service(writes=False) as ctx:
        return await subscriptions.subscription(ctx.db, "fake", external_id)


async def run(paying, name):
    """One job alone: the listing of everything would repair what the others leave."""
    await paying.kit.move(minutes=1)
    (job,) = [one for one in JOBS if one.name == name]
    await job.run(paying.kit.system, {})


async def sweep(paying):
    await run(paying, "billing.sweep")


async def test_what_is_due_for_ever_keeps_nobody_else_waiting(paying):
    """A hundred and more that stay past due at the provider, and one after them that was renewed."""
    await many(paying, BATCH + 20, status="past_due", past_due_since=START - MONTH)
    paying.truth.put(subscription_of(None, "price_pro", external_id="sub_last"))
    await sync(paying.kit.system, paying.truth)
    said = paying.truth.objects["subscription"]["sub_last"]
    paying.truth.objects["subscription"]["sub_last"] = msgspec.structs.replace(said, period_end=said.period_end + MONTH)
    await paying.kit.set_time(said.period_end + timedelta(days=4))
    await sweep(paying)
    await sweep(paying)
    assert (await row_of(paying, "sub_last")).period_end == said.period_end + MONTH


async def test_objects_that_cannot_be_read_or_are_gone_keep_nobody_else_waiting(paying):
    await many(paying, 20)
    paying.truth.put(subscription_of(None, "price_pro", external_id="sub_zz"))
    await sync(paying.kit.system, paying.truth)
    objects = paying.truth.objects["subscription"]
    renewed = msgspec.structs.replace(objects["sub_zz"], period_end=objects["sub_zz"].period_end + MONTH)
    objects.clear()
    objects["sub_zz"] = renewed
    await paying.kit.set_time(renewed.period_end - MONTH + timedelta(days=4))
    await sweep(paying)
    assert (await row_of(paying, "sub_zz")).period_end == renewed.period_end
    asked = len(paying.truth.reads)
    # Those that are gone are not asked for each minute.
    await sweep(paying)
    assert len(paying.truth.reads) == asked


async def test_plans_are_written_down_while_the_provider_hangs(paying):
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    price = paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(holder, price, cancel_at=START + MONTH)))
    await paying.work()
    await paying.deliver(paying.truth.put(subscription_of(None, price, external_id="sub_2", customer="cus_2")))
    paying.truth.slow = asyncio.Event()
    await paying.kit.set_time(START + MONTH)
    sweeping = asyncio.create_task(sweep(paying))
    async with asyncio.timeout(20):
        while len(paying.truth.reads) < 2:
            await asyncio.sleep(0.01)
    async with paying.kit.system.service(writes=False) as ctx:
        (held, _) = await owners.held(ctx.db, holder)
    paying.truth.slow.set()
    await sweeping
    assert (held.plan, held.until) == ("free", None)


async def test_only_purchases_that_are_somebodys_are_tried_to_be_linked(paying):
    """A product that comes to a provider's account with a history has many that nobody ever claims."""
    await many(paying, 30, email="nobody@example.com")
    async with paying.kit.system.service(writes=False) as ctx:
        assert await subscriptions.claimable(ctx.db, after=FIRST, limit=10) == []
    ada = await paying.kit.sign_in("ada")
    email = (await ada.get("/v1/me")).json()["email"]
    holder = await paying.holder_of(ada)
    async with paying.kit.system.service() as ctx:
        (row,) = await subscriptions.unlinked(ctx.db, after=FIRST, limit=1)
        await subscriptions.put_subscription(ctx.db, msgspec.structs.replace(row, email=email.upper()))
        second = await row_of(paying, "sub_0007")
        await owners.know_customer(
            ctx.db, new_id(), holder_id=holder, provider="fake", external_id=second.customer, email=None
        )
    await sweep(paying)
    async with paying.kit.system.service(writes=False) as ctx:
        assert await subscriptions.claimable(ctx.db, after=FIRST, limit=10) == []
        assert await subscriptions.unlinked_count(ctx.db) == 28
    assert await paying.plan_of(holder) == "pro"


async def test_every_trial_is_reminded_of_however_many_end(paying):
    await many(paying, BATCH + 5, status="trialing", trial_ends_at=START + timedelta(days=2))
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    async with paying.kit.system.service() as ctx:
        for row in await subscriptions.unlinked(ctx.db, after=FIRST, limit=1000):
            mine = msgspec.structs.replace(row, holder_id=holder)
            await subscriptions.put_subscription(ctx.db, mine)
    await run(paying, "billing.remind")
    async with paying.kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_reminded) == BATCH + 5


async def test_a_conflict_with_one_object_does_not_end_a_listing(start, clock, truth):
    """Nor what fails with one provider the listing of the next."""
    busy = [DatabaseConflict(), DatabaseConflict()]

    async def conflict(_ctx, _event):
        if busy:
            raise busy.pop()

    broken = Truth(clock.now, name="stripe")
    broken.missed = broken.listed = lambda _: raising()
    kit = await start(
        paid_product(modules=[Module("busy", handlers={SubscriptionStarted: conflict})]),
        clock=clock,
        ports={BillingProviders: BillingProviders({"stripe": broken, "fake": truth})},
    )
    paying = Paying(kit, truth, [])
    holder = await paying.holder_of(await kit.sign_in("ada"))
    truth.sell("pro")
    truth.put(subscription_of(holder, "price_pro"))
    await paying.run_periodic()
    assert busy == []
    assert await paying.plan_of(holder) == "pro"


async def raising():
    msg = "a fault of ours, or an answer that nobody thought of"
    raise RuntimeError(msg)
    yield


async def test_a_price_that_is_listed_no_more_is_sold_no_more(paying):
    """Polar leaves archived prices out of their product; its checkout knows none of them."""
    paying.truth.sell("pro")
    await sync_products(paying.kit.system, paying.truth)
    await paying.kit.move(seconds=1)
    price = paying.truth.objects["price"].pop("price_pro")
    paying.truth.put(msgspec.structs.replace(price, external_id=ExternalId("price_new")))
    await sync_products(paying.kit.system, paying.truth)
    async with paying.kit.system.service(writes=False) as ctx:
        assert [one.external_id for one in await reading.on_sale(ctx.db, "fake")] == ["price_new"]


def test_a_listing_of_everything_may_last_longer_than_a_lease():
    (job,) = [one for one in JOBS if one.name == "billing.sync"]
    assert job.lasts is not None
    assert job.lasts > timedelta(hours=1)


async def test_bodies_of_old_events_are_emptied_those_that_died_too(paying):
    """They hold addresses of buyers; what died is read again without its body."""
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    price = paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(holder, price, raw_status="x" * 101)))
    for _ in range(14):
        await paying.work()
        await paying.kit.move(hours=1)
    _, (event,) = await operating.events(paying.kit.system, status="dead")
    await paying.kit.move(days=91)
    await run(paying, "billing.forget")
    async with paying.kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_bodies) == 0
    end = paying.kit.clock.now() + MONTH
    paying.truth.put(subscription_of(holder, price, period_end=end))
    assert await operating.replay(paying.kit.system, event.id)
    await paying.work()
    assert await paying.plan_of(holder) == "pro"
