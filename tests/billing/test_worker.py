"""From an event to a holder's plan."""

from datetime import timedelta

import msgspec

from billing.truth import subscription_of


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
