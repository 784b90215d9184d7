"""Two who write at once: each begins while the other's unit is open, and neither undoes what the other knows better."""

import asyncio
from datetime import timedelta

import msgspec

from billing.history import payment
from billing.truth import subscription_of
from tenantry.billing import operating
from tenantry.billing.applying import apply
from tenantry.billing.claims import claim_for
from tenantry.billing.queries import inbox, owners, payments, subscriptions
from tenantry.billing.sync import sync_products
from tenantry.kernel import new_id
from tenantry.testing.kit import START

PAUSE_SECONDS = 0.3
"""Long enough for the other to come to where it has to wait."""
SECOND = timedelta(seconds=1)


async def database_now(paying):
    async with paying.kit.system.service(writes=False) as ctx:
        return await inbox.database_now(ctx.db)


async def applied(paying, *snapshots, read_at, pause=0.0):
    async with paying.kit.system.service() as ctx:
        await apply(ctx, "fake", snapshots, read_at=read_at)
        await asyncio.sleep(pause)


async def after_a_moment(work):
    await asyncio.sleep(PAUSE_SECONDS / 3)
    return await work


async def row_of(paying, external_id="sub_1"):
    async with paying.kit.system.service(writes=False) as ctx:
        return await subscriptions.subscription(ctx.db, "fake", external_id)


async def test_of_two_who_see_a_purchase_first_the_later_reading_stands(paying):
    """Both find no row; the one whose reading began earlier writes last."""
    at = await database_now(paying)
    new = subscription_of(None, "price_x", quantity=2)
    old = msgspec.structs.replace(new, quantity=1)
    await asyncio.gather(
        applied(paying, new, payment("x", 1), read_at=at, pause=PAUSE_SECONDS),
        after_a_moment(
            applied(paying, old, msgspec.structs.replace(payment("x", 1), status="pending"), read_at=at - SECOND)
        ),
    )
    row = await row_of(paying)
    assert (row.quantity, row.fetched_at) == (2, at)
    async with paying.kit.system.service(writes=False) as ctx:
        paid = await payments.payment(ctx.db, "fake", "in_x_1")
    assert (paid.status, paid.fetched_at) == ("paid", at)


async def test_what_is_announced_is_what_is_in_the_table(paying):
    """Told by two at once, of which one knows whose it is: the id that is announced is the row's."""
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    paying.truth.sell("pro")
    await sync_products(paying.kit.system, paying.truth)
    at = await database_now(paying)
    nobodys = subscription_of(None, "price_pro")
    await asyncio.gather(
        applied(paying, nobodys, payment("x", 1), read_at=at, pause=PAUSE_SECONDS),
        after_a_moment(applied(paying, msgspec.structs.replace(nobodys, holder_id=holder), read_at=at + SECOND)),
    )
    row = await row_of(paying)
    assert row.holder_id == holder
    assert {one.subscription_id for one in paying.announced if hasattr(one, "subscription_id")} == {row.id}


async def test_an_operators_claim_stands_against_a_reading_that_goes_on(paying):
    """Each began before the other's end: the claim does not undo the reading, nor the reading the claim."""
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    paying.truth.sell("pro")
    await sync_products(paying.kit.system, paying.truth)
    at = await database_now(paying)
    bought = subscription_of(None, "price_pro")
    await applied(paying, bought, read_at=at)
    (row,) = await operating.unlinked(paying.kit.system)

    async def claim(pause=0.0):
        async with paying.kit.system.service() as ctx:
            await claim_for(ctx, row.id, holder, reason="test")
            await asyncio.sleep(pause)

    more = msgspec.structs.replace(bought, quantity=7)
    await asyncio.gather(
        applied(paying, more, read_at=at + SECOND, pause=PAUSE_SECONDS),
        after_a_moment(claim(pause=PAUSE_SECONDS)),
        after_a_moment(after_a_moment(applied(paying, more, read_at=at + 2 * SECOND))),
    )
    found = await row_of(paying)
    assert (found.holder_id, found.quantity, found.fetched_at) == (holder, 7, at + 2 * SECOND)
    assert await paying.plan_of(holder) == "pro"


async def test_a_price_that_buys_another_plan_waits_for_who_changes_a_subscription_to_it(paying):
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(holder, "price_pro")))
    await paying.work()
    at = await database_now(paying)
    product = paying.truth.objects["product"]["prod_pro"]
    price = paying.truth.objects["price"]["price_pro"]

    async def change():
        async with paying.kit.system.service() as ctx:
            await owners.lock_by_id(ctx.db, holder)
            await asyncio.sleep(PAUSE_SECONDS)
            await subscriptions.subscription(ctx.db, "fake", "sub_1", lock=True)

    others = msgspec.structs.replace(product, details={"plan": "business"})
    elsewhere = msgspec.structs.replace(price, lookup="elsewhere")
    await asyncio.gather(change(), after_a_moment(applied(paying, others, elsewhere, read_at=at + SECOND)))
    assert await paying.plan_of(holder) == "business"


async def test_two_holders_who_become_one_customer_at_once(paying):
    """The first has it, and the other's transaction goes on: a sign-in would fail of it."""
    first, other = [await paying.holder_of(await paying.kit.sign_in(name)) for name in ("ada", "grace")]
    given = {"provider": "fake", "external_id": "cus_1", "email": None}

    async def know(holder, pause=0.0):
        async with paying.kit.system.service() as ctx:
            await owners.know_customer(ctx.db, new_id(), holder_id=holder, **given)
            await asyncio.sleep(pause)

    await asyncio.gather(know(first, PAUSE_SECONDS), after_a_moment(know(other)))
    async with paying.kit.system.service(writes=False) as ctx:
        assert await owners.lock_by_customer(ctx.db, "fake", "cus_1") == first


async def test_two_who_end_one_subscription_each_leave_the_holder_without_a_plan(paying):
    """Each alone would find the other's still giving the plan; whoever comes second must wait and see both ended."""
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    price = paying.truth.sell("pro")
    first = subscription_of(holder, price)
    second = subscription_of(holder, price, external_id="sub_2", customer="cus_y")
    await paying.deliver(paying.truth.put(first), paying.truth.put(second))
    await paying.work()
    assert await paying.plan_of(holder) == "pro"
    ended = {"status": "canceled", "raw_status": "canceled", "ended_at": paying.kit.clock.now()}
    at = await database_now(paying)
    await asyncio.gather(
        applied(paying, msgspec.structs.replace(first, **ended), read_at=at, pause=PAUSE_SECONDS),
        after_a_moment(applied(paying, msgspec.structs.replace(second, **ended), read_at=at)),
    )
    assert await paying.plan_of(holder) == "free"


async def test_an_event_whose_object_somebody_reads_now_is_worked_on_when_they_are_done(paying):
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    event = paying.truth.put(subscription_of(holder, paying.truth.sell("pro")))
    lease = new_id()
    async with paying.kit.system.service() as ctx:
        assert await inbox.lock(ctx.db, "fake", "subscription", "sub_1", lease, seconds=3600)
    await paying.deliver(event)
    for _ in range(3):
        assert await paying.work() == 1
        await paying.kit.move(seconds=2)
    assert paying.truth.reads == []
    async with paying.kit.system.service() as ctx:
        await inbox.unlock(ctx.db, lease)
    assert await paying.work() == 1
    assert await paying.plan_of(holder) == "pro"
    _, (seen,) = await operating.events(paying.kit.system)
    # Waiting for somebody else's reading is no attempt.
    assert (seen.status, seen.attempts) == ("done", 1)


async def test_an_intent_and_its_invoice_told_at_once_are_one_payment(paying):
    """Neither names a holder, so nothing but the intent itself keeps the two apart."""
    told = msgspec.structs.replace(payment("x", 1), customer=None, subscription=None, version=START)
    intent = msgspec.structs.replace(told, external_id=told.intent, reason="once")
    await asyncio.gather(
        applied(paying, intent, read_at=None, pause=PAUSE_SECONDS),
        after_a_moment(applied(paying, told, read_at=None)),
    )
    async with paying.kit.system.service(writes=False) as ctx:
        assert await payments.payment(ctx.db, "fake", "pi_x_1") is None
        assert await payments.payment(ctx.db, "fake", "in_x_1") is not None


async def test_an_invoice_that_learns_its_intent_takes_in_what_stood_by_itself(paying):
    """It was there first, unpaid; the intent was told alone; then the invoice says who paid it. Announced once."""
    holder = await paying.holder_of(await paying.kit.sign_in("ada"))
    paid = msgspec.structs.replace(payment("x", 1), holder_id=holder, customer=None, subscription=None)
    for number, one in enumerate(
        [
            msgspec.structs.replace(paid, intent=None, status="pending", paid_at=None),
            msgspec.structs.replace(paid, external_id=paid.intent, reason="once"),
            paid,
        ]
    ):
        version = START + timedelta(seconds=number)
        await applied(paying, msgspec.structs.replace(one, version=version), read_at=None)
    async with paying.kit.system.service(writes=False) as ctx:
        assert await payments.payment(ctx.db, "fake", "pi_x_1") is None
        row = await payments.payment(ctx.db, "fake", "in_x_1")
    assert (row.status, row.intent) == ("paid", "pi_x_1")
    assert len([one for one in paying.announced if hasattr(one, "payment_id")]) == 1
