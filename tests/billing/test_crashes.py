"""A worker that dies between claim and commit, at any point: the work is done by the next, and its effects once."""

import asyncio

import pytest
from sqlalchemy import func, select

from billing.history import payment
from billing.truth import subscription_of
from tenantry.billing import operating
from tenantry.billing.models import BillingFacts
from tenantry.billing.worker import LEASE_SECONDS, drain
from tenantry.kernel.database import statement

STEPS = 400

_paid = statement(select(func.count()).where(BillingFacts.fact.like("payment:%:paid")))


async def interrupted_after(runtime, steps: int) -> bool:
    """Let a worker begin, and interrupt it after so many turns of the loop; False when it was done before."""
    task = asyncio.create_task(drain(runtime))
    for _ in range(steps):
        await asyncio.sleep(0)
        if task.done():
            await task
            return False
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return True


async def test_interrupted_anywhere_it_is_done_once_by_the_next(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    paying.truth.sell("pro")
    step, number = 0, 0
    while True:
        number += 1
        name = f"c{number}"
        bought = subscription_of(holder, "price_pro", external_id=f"sub_{name}", customer=f"cus_{name}")
        await paying.deliver(paying.truth.put(bought), paying.truth.put(payment(name, 1)))
        was_interrupted = await interrupted_after(paying.kit.runtime, step)
        # Its leases end; a lock of one that died is taken over.
        await paying.kit.move(seconds=LEASE_SECONDS + 1)
        await paying.work()
        counts, _ = await operating.events(paying.kit.system)
        assert {one.status for one in counts} == {"done"}, (step, counts)
        if not was_interrupted:
            break
        # Where the database is slow, the loop turns many times while it waits.
        step += 1 + step // 8
        assert step < STEPS * 50_000
    assert await paying.plan_of(holder) == "pro"
    async with paying.kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_paid) == number
    assert step > 3, "nothing was interrupted"


async def test_an_error_of_ours_is_tried_again_then_dead_and_can_be_replayed(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    # A word that no row may hold: writing it fails each time, as an error in our code would.
    broken = subscription_of(holder, price, raw_status="x" * 101)
    await paying.deliver(paying.truth.put(broken))
    for _ in range(14):
        await paying.work()
        await paying.kit.move(hours=1)
    counts, (event,) = await operating.events(paying.kit.system, status="dead")
    assert [(one.status, one.count) for one in counts] == [("dead", 1)]
    assert event.attempts == 12
    assert event.last_error
    assert "x" * 101 not in event.last_error
    paying.truth.put(subscription_of(holder, price))
    assert await operating.replay(paying.kit.system, event.id)
    await paying.work()
    assert await paying.plan_of(holder) == "pro"


@pytest.mark.parametrize("times", [50])
async def test_fifty_events_of_one_object_worked_on_by_four_at_once_are_one_row(paying, times):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    await paying.deliver(*(paying.truth.put(subscription_of(holder, price)) for _ in range(times)))
    while any(await asyncio.gather(*(drain(paying.kit.runtime, limit=7) for _ in range(4)))):
        await paying.kit.move(seconds=2)
    counts, _ = await operating.events(paying.kit.system)
    assert [(one.status, one.count) for one in counts] == [("done", times)]
    assert len([one for one in paying.announced if hasattr(one, "subscription_id")]) == 1
    assert len(paying.truth.reads) < times
