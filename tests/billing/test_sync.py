"""Bringing rows in line: what was lost is found, what differs repaired, and twice is as good as once."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from billing.history import payment
from billing.truth import subscription_of
from tenantry.billing import operating
from tenantry.billing.errors import ProviderAway
from tenantry.billing.queries import catalogue, reading, subscriptions
from tenantry.billing.reading import refresh
from tenantry.billing.snapshots import ExternalId, Hint
from tenantry.billing.sync import fill_gaps, sync, sync_products


async def bought(paying, name="x", **given):
    browser = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(browser)
    paying.truth.sell("pro")
    paying.truth.put(subscription_of(holder, "price_pro", external_id=f"sub_{name}", customer=f"cus_{name}", **given))
    paying.truth.put(payment(name, 1))
    return holder


async def drifts(paying, **given):
    report = await sync(paying.kit.system, paying.truth, **given)
    return sorted((one.kind, one.external_id, one.difference) for one in report.drift)


async def test_what_no_event_told_is_found_and_the_second_time_nothing_differs(paying):
    holder = await bought(paying)
    missing = [("payment", "in_x_1", "missing"), ("subscription", "sub_x", "missing")]
    assert await drifts(paying, dry_run=True) == missing
    assert await paying.plan_of(holder) == "free"
    assert await drifts(paying) == missing
    assert await paying.plan_of(holder) == "pro"
    assert await drifts(paying) == []


async def test_drift_is_repaired_and_counted(paying):
    holder = await bought(paying)
    await drifts(paying)
    said = paying.truth.objects["subscription"]["sub_x"]
    paying.truth.objects["subscription"]["sub_x"] = msgspec.structs.replace(
        said, status="canceled", raw_status="canceled"
    )
    await paying.kit.move(seconds=1)
    assert await drifts(paying, dry_run=True) == [("subscription", "sub_x", "changed")]
    assert await paying.plan_of(holder) == "pro"
    assert await drifts(paying) == [("subscription", "sub_x", "changed")]
    assert await paying.plan_of(holder) == "free"
    page = await (await paying.kit.client()).get("/metrics")
    line = 'tenantry_billing_drift_total{difference="changed",kind="subscription",provider="fake"} 1.0'
    assert line in page.text


async def test_a_provider_that_is_away_changes_nothing_and_is_told(paying):
    holder = await bought(paying)
    await drifts(paying)
    paying.truth.is_away = True
    with pytest.raises(ProviderAway):
        await sync(paying.kit.system, paying.truth)
    assert await paying.plan_of(holder) == "pro"
    await paying.kit.move(seconds=1)
    with pytest.raises(ProviderAway):
        await sync_products(paying.kit.system, paying.truth)
    # The lock was let go: the next need not wait for its end.
    paying.truth.is_away = False
    assert await sync_products(paying.kit.system, paying.truth)


async def test_an_offer_of_several_pages_is_shown_whole_or_not_at_all(paying):
    for number in range(7):
        paying.truth.sell(f"plan-{number}")
    listed = paying.truth.listed
    seen = []

    async def broken(kind):
        pages = listed(kind)
        yield await anext(pages)
        async with paying.kit.system.service(writes=False) as ctx:
            seen.append(await catalogue.newest(ctx.db, "fake"))
        raise ProviderAway(internal="gone between two pages")

    paying.truth.listed = broken
    with pytest.raises(ProviderAway):
        await sync_products(paying.kit.system, paying.truth)
    async with paying.kit.system.service(writes=False) as ctx:
        seen.append(await catalogue.newest(ctx.db, "fake"))
    assert seen == [None, None]


async def test_ten_who_want_the_products_at_once_make_one_listing(paying):
    paying.truth.sell("pro")
    listings = 0
    listed = paying.truth.listed

    def counted(kind):
        nonlocal listings
        listings += 1
        return listed(kind)

    paying.truth.listed = counted
    done = await asyncio.gather(*(sync_products(paying.kit.system, paying.truth) for _ in range(10)))
    assert listings == sum(done)
    assert 1 <= listings < 10


async def test_what_is_not_sold_any_more_leaves_the_offer(paying):
    paying.truth.sell("pro")
    await sync_products(paying.kit.system, paying.truth)
    await paying.kit.move(seconds=1)
    del paying.truth.objects["product"]["prod_pro"]
    await sync_products(paying.kit.system, paying.truth)
    async with paying.kit.system.service(writes=False) as ctx:
        assert await reading.on_sale(ctx.db, "fake") == []


async def test_a_product_whose_metadata_names_another_plan_moves_who_bought_it(paying):
    holder = await bought(paying)
    await drifts(paying)
    was = paying.truth.objects["product"]["prod_pro"]
    await paying.kit.move(seconds=1)
    paying.truth.objects["product"]["prod_pro"] = msgspec.structs.replace(was, details={"plan": "business"})
    paying.truth.objects["price"]["price_pro"] = msgspec.structs.replace(
        paying.truth.objects["price"]["price_pro"], lookup="elsewhere"
    )
    assert await sync_products(paying.kit.system, paying.truth)
    assert await paying.plan_of(holder) == "business"


async def test_gaps_are_filled_from_what_the_provider_could_not_tell(paying):
    holder = await bought(paying)
    at = paying.kit.clock.now()
    lost = Hint(dedupe_key="evt_lost", event="x", object_kind="subscription", object_id=ExternalId("sub_x"))
    paying.truth.told_nobody = [lost, Hint(dedupe_key="evt_other", event="y")]
    assert await fill_gaps(paying.kit.system, paying.truth, since=at - timedelta(days=1)) == 2
    assert await fill_gaps(paying.kit.system, paying.truth, since=at - timedelta(days=1)) == 0
    await paying.work()
    assert await paying.plan_of(holder) == "pro"


async def test_a_refresh_reads_what_is_stale_once_and_keeps_the_old_when_the_provider_is_away(paying):
    holder = await bought(paying)
    await drifts(paying)
    paying.truth.reads.clear()
    hour = timedelta(hours=1)
    await refresh(paying.kit.system, holder, older_than=hour, budget_seconds=2)
    assert paying.truth.reads == []
    await paying.kit.move(hours=2)
    await asyncio.gather(*(refresh(paying.kit.system, holder, older_than=hour, budget_seconds=2) for _ in range(5)))
    assert paying.truth.reads == [("subscription", "sub_x")]
    await paying.kit.move(hours=2)
    paying.truth.is_away = True
    await refresh(paying.kit.system, holder, older_than=hour, budget_seconds=2)
    assert await paying.plan_of(holder) == "pro"


async def test_a_purchase_made_elsewhere_waits_to_be_claimed(paying):
    """By nobody's word: an address that its person has not proven links nothing."""
    paying.truth.sell("pro")
    bought_elsewhere = subscription_of(None, "price_pro", email="Grace@Example.com")
    await paying.deliver(paying.truth.put(bought_elsewhere), paying.truth.put(payment("x", 1)))
    await paying.work()
    (row,) = await operating.unlinked(paying.kit.system)
    assert (row.external_id, row.plan, row.email) == ("sub_1", "pro", "Grace@Example.com")
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    email = (await ada.get("/v1/me")).json()["email"]
    assert await operating.claim(paying.kit.system, row.id, "nobody@example.com", reason="test") is None
    assert await operating.claim(paying.kit.system, row.id, email, reason="bought by phone") is not None
    assert await paying.plan_of(holder) == "pro"
    assert await operating.unlinked(paying.kit.system) == []


async def test_a_buyer_who_signs_in_with_a_proven_address_has_what_they_bought(paying):
    paying.truth.sell("pro")
    browser = await paying.kit.sign_in("ada")
    email = (await browser.get("/v1/me")).json()["email"]
    await paying.deliver(paying.truth.put(subscription_of(None, "price_pro", email=email.upper())))
    await paying.work()
    assert await paying.plan_of(await paying.holder_of(browser)) == "pro"


async def test_the_sweep_reads_what_should_have_been_renewed(paying):
    holder = await bought(paying)
    await drifts(paying)
    said = paying.truth.objects["subscription"]["sub_x"]
    paying.truth.objects["subscription"]["sub_x"] = msgspec.structs.replace(
        said, period_end=said.period_end + timedelta(days=31)
    )
    await paying.kit.set_time(said.period_end + timedelta(days=3, minutes=1))
    await paying.run_periodic()
    assert await paying.plan_of(holder) == "pro"
    async with paying.kit.system.service(writes=False) as ctx:
        row = await subscriptions.subscription(ctx.db, "fake", "sub_x")
    assert row is not None
    assert row.period_end == said.period_end + timedelta(days=31)
    # And what the provider does not renew ends, and is written down.
    await paying.kit.set_time(row.period_end + timedelta(days=3, minutes=1))
    await paying.run_periodic()
    assert await paying.plan_of(holder) == "free"
