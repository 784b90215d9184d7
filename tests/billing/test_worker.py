"""From an event to a holder's plan."""

import asyncio
from datetime import timedelta

import msgspec

from billing.truth import subscription_of
from tenantry.billing import operating
from tenantry.billing.applying import ONLY
from tenantry.billing.queries import inbox, owners
from tenantry.billing.reading import LOCK_SECONDS, read_now
from tenantry.billing.snapshots import ExternalId
from tenantry.billing.worker import drain
from tenantry.holders import open_for_user
from tenantry.kernel import new_id


async def test_a_subscription_told_by_an_event_gives_its_plan(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(holder, price)))
    assert await paying.plan_of(holder) == "free"
    assert await paying.work() == 1
    assert await paying.plan_of(holder) == "pro"
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "pro"


async def test_the_highest_of_several_counts_and_an_end_falls_back(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    pro, business = paying.truth.sell("pro"), paying.truth.sell("business")
    low = subscription_of(holder, pro)
    high = subscription_of(holder, business, external_id="sub_2", customer="cus_y")
    await paying.deliver(paying.truth.put(low), paying.truth.put(high))
    await paying.work()
    assert await paying.plan_of(holder) == "business"
    ended = msgspec.structs.replace(high, status="canceled", raw_status="canceled", ended_at=paying.kit.clock.now())
    await paying.deliver(paying.truth.put(ended))
    await paying.work()
    assert await paying.plan_of(holder) == "pro"
    await paying.deliver(paying.truth.put(msgspec.structs.replace(low, status="expired", raw_status="expired")))
    await paying.work()
    assert await paying.plan_of(holder) == "free"


async def test_many_events_of_one_object_cost_one_read(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    events = [paying.truth.put(subscription_of(holder, price, quantity=number)) for number in range(1, 8)]
    await paying.deliver(*events)
    await paying.work()
    assert paying.truth.reads == [("subscription", "sub_1")]


async def test_what_a_provider_cannot_be_asked_is_taken_from_its_word(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    told = subscription_of(holder, price)
    events = [
        *map(paying.truth.put, [*paying.truth.objects["product"].values(), *paying.truth.objects["price"].values()])
    ]
    paying.truth.is_away = True
    await paying.deliver(*events)
    await paying.work()
    first, second = paying.truth.put(told), paying.truth.put(msgspec.structs.replace(told, quantity=3))
    await paying.deliver(second)
    await paying.work()
    assert await paying.plan_of(holder) == "pro"
    # The older one, later: it decides nothing, and waits to be read.
    await paying.deliver(first)
    await paying.work()
    paying.truth.is_away = False
    await paying.kit.move(timedelta(hours=2))
    assert await paying.work() == 1
    assert paying.truth.reads == [("subscription", "sub_1")]


async def test_what_is_over_is_not_opened_again_by_a_later_payload(paying):
    """Only reading the object opens it."""
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    told = subscription_of(holder, price)
    await paying.deliver(paying.truth.put(told))
    await paying.work()
    ended = msgspec.structs.replace(told, status="canceled", raw_status="canceled", ended_at=paying.kit.clock.now())
    paying.truth.is_away = True
    await paying.deliver(paying.truth.put(ended))
    await paying.work()
    assert await paying.plan_of(holder) == "free"
    await paying.deliver(paying.truth.put(msgspec.structs.replace(told, quantity=2)))
    await paying.work()
    assert await paying.plan_of(holder) == "free"
    paying.truth.is_away = False
    await paying.kit.move(timedelta(hours=2))
    assert await paying.work() == 1
    assert await paying.plan_of(holder) == "pro"


async def test_of_two_prices_told_of_one_moment_neither_counts_until_it_is_read(paying):
    """A payload that is not newer does not overwrite: last write would win, in whichever order they came."""
    price = paying.truth.sell("pro", amount=900)
    first = paying.truth.put(paying.truth.objects["price"][price])
    paying.truth.number -= 1
    second = paying.truth.put(msgspec.structs.replace(paying.truth.objects["price"][price], amount=1900))
    second = paying.truth.signed(second.body.replace(b'"evt_', b'"evt_other_'))
    paying.truth.is_away = True
    for event in (first, second):
        await paying.deliver(event)
        await paying.work()
    counts, _ = await operating.events(paying.kit.system)
    assert {one.status: one.count for one in counts} == {"done": 1, "waiting": 1}
    paying.truth.is_away = False
    await paying.kit.move(timedelta(hours=2))
    assert await paying.work() == 1


async def test_who_reads_too_long_writes_nothing(paying):
    """The lock has ended meanwhile and another one reads: what was read before that one began is not written."""
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    told = subscription_of(holder, price)
    paying.truth.put(told)
    paying.truth.slow = asyncio.Event()
    late = asyncio.create_task(read_now(paying.kit.system, paying.truth, "subscription", ExternalId("sub_1")))
    while not paying.truth.reads:
        await asyncio.sleep(0.01)
    await paying.kit.move(seconds=LOCK_SECONDS + 1)
    async with paying.kit.system.service() as ctx:
        taken = await inbox.lock(ctx.db, "fake", "subscription", "sub_1", new_id(), seconds=LOCK_SECONDS)
    assert taken is not None
    paying.truth.slow.set()
    assert not await late
    assert await paying.plan_of(holder) == "free"


async def test_an_event_that_comes_while_its_object_is_read_is_read_for_itself(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(holder, price)))
    paying.truth.slow = asyncio.Event()
    reading = asyncio.create_task(drain(paying.kit.runtime))
    while not paying.truth.reads:
        await asyncio.sleep(0.01)
    await paying.deliver(paying.truth.put(subscription_of(holder, price, status="canceled")))
    paying.truth.slow.set()
    await reading
    assert await paying.plan_of(holder) == "pro"
    assert await paying.work() == 1
    assert await paying.plan_of(holder) == "free"


async def test_a_second_live_subscription_stands_beside_the_first(paying):
    """A holder has one in the slot; who bought twice has both, and neither is refused."""
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    both = [subscription_of(holder, price, external_id=f"sub_{one}") for one in (1, 2)]
    await paying.deliver(*map(paying.truth.put, both))
    await paying.work()
    counts, _ = await operating.events(paying.kit.system)
    assert {one.status for one in counts} == {"done"}
    async with paying.kit.system.service(writes=False) as ctx:
        held = await owners.held(ctx.db, holder)
    assert held is not None
    assert sorted(one.slot == ONLY for one in held[1]) == [False, True]


async def test_an_address_that_is_not_proven_links_nothing(paying):
    price = paying.truth.sell("pro")
    async with paying.kit.system.service() as ctx:
        user = new_id()
        await paying.add_user(ctx, user, "buyer@example.test")
        holder = await open_for_user(ctx, user)
    await paying.deliver(paying.truth.put(subscription_of(None, price, email="buyer@example.test")))
    await paying.work()
    assert await paying.plan_of(holder) == "free"
    assert [one.external_id for one in await operating.unlinked(paying.kit.system)] == ["sub_1"]
