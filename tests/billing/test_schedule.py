"""T-06: products every five minutes and kept in between, subscriptions when their person comes, payments as told."""

from datetime import timedelta

import msgspec
import pytest

from billing.history import payment
from billing.truth import subscription_of
from tenantry.billing.queries import reading


async def on_sale(paying):
    async with paying.kit.system.service(writes=False) as ctx:
        return {one.external_id: one.amount_minor for one in await reading.on_sale(ctx.db, "fake")}


@pytest.fixture
def listings(truth):
    """How often the provider was asked for its products."""
    asked, listed = [], truth.listed

    def counted(kind):
        asked.append(kind)
        return listed(kind)

    truth.listed = counted
    return lambda: asked.count("product")


async def test_t_06_products_are_synced_every_five_minutes_and_kept_while_the_provider_is_away(paying, listings):
    price = paying.truth.sell("pro", amount=900)
    await paying.run_periodic()
    await paying.kit.move(minutes=5)
    await paying.run_periodic()
    assert await on_sale(paying) == {price: 900}
    before = listings()
    paying.truth.sell("pro", amount=1000)
    await paying.kit.move(minutes=4)
    await paying.run_periodic()
    # Whoever looks meanwhile asks nobody.
    assert await on_sale(paying) == {price: 900}
    assert listings() == before
    await paying.kit.move(minutes=1)
    await paying.run_periodic()
    assert await on_sale(paying) == {price: 1000}
    assert listings() == before + 1
    paying.truth.is_away = True
    paying.truth.sell("pro", amount=1100)
    for _ in range(3):
        await paying.kit.move(minutes=5)
        await paying.run_periodic()
        assert await on_sale(paying) == {price: 1000}
    paying.truth.is_away = False
    for _ in range(2):
        await paying.kit.move(minutes=5)
        await paying.run_periodic()
    assert await on_sale(paying) == {price: 1100}


async def test_t_06_who_comes_after_a_change_that_nobody_told_of_sees_it(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    told = subscription_of(holder, paying.truth.sell("pro"))
    await paying.deliver(paying.truth.put(told))
    await paying.work()
    paying.truth.put(msgspec.structs.replace(told, cancel_at=told.period_end))
    await paying.kit.move(timedelta(minutes=59))
    reads = len(paying.truth.reads)
    for _ in range(3):
        seen = (await ada.get("/v1/subscription")).json()
        assert seen["subscription"]["cancel_at"] is not None
    assert len(paying.truth.reads) == reads + 1


async def test_t_06_the_history_of_payments_comes_through_events(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    await paying.deliver(paying.truth.put(subscription_of(holder, paying.truth.sell("pro"), external_id="sub_x")))
    failed = msgspec.structs.replace(payment("x", 2), status="failed", paid_at=None)
    for told, status, refunded in [
        (failed, "failed", 0),
        (payment("x", 2), "paid", 0),
        (
            msgspec.structs.replace(payment("x", 2), refunded=300, status="partially_refunded"),
            "partially_refunded",
            300,
        ),
        (msgspec.structs.replace(payment("x", 2), refunded=900, status="refunded"), "refunded", 900),
    ]:
        await paying.deliver(paying.truth.put(told))
        await paying.work()
        async with paying.kit.system.service(writes=False) as ctx:
            (found,) = await reading.payments(ctx.db, holder, limit=10)
        assert (found.external_id, found.status, found.refunded_minor) == ("in_x_2", status, refunded)
