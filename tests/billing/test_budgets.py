"""How many statements billing takes, where it matters: taking an event in, and bringing a holder's plan up to date."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from billing.truth import Event, Truth, subscription_of
from tenantry.billing.holding import recompute
from tenantry.billing.queries import owners, subscriptions
from tenantry.kernel.context import system_context

MONTH = timedelta(days=31)


def not_ours(truth: Truth) -> Event:
    happened = {"id": "evt_x", "kind": "dispute", "at": "2026-03-14T12:00:00+00:00", "object": {"external_id": "dp_1"}}
    return truth.signed(json.dumps(happened).encode())


async def test_an_event_is_taken_in_with_one_statement(paying, statements):
    told = paying.truth.put(subscription_of(None, paying.truth.sell("pro")))
    for event in (told, told, not_ours(paying.truth)):
        with statements(paying.kit) as ran:
            await paying.deliver(event)
            assert ran() == 1
    assert paying.truth.reads == []


@pytest.mark.parametrize("headers", [{}, {"x-fake-signature": "0" * 64}], ids=["unsigned", "forged"])
async def test_what_is_not_signed_does_not_reach_the_database(paying, statements, headers):
    client = await paying.kit.client()
    with statements(paying.kit) as ran:
        assert (await client.post("/webhooks/fake", content=b"{}", headers=headers)).status_code == 401
        assert ran() == 0


async def recomputed(paying: Any, holder: UUID) -> int:
    """How many statements it took, without what others do about it."""
    alone = system_context(replace(paying.kit.runtime, handlers={}))
    async with alone.service() as ctx:
        assert await owners.lock_by_id(ctx.db, holder) is not None
        before = ctx.db.statements
        assert await recompute(ctx, holder) is not None
        return ctx.db.statements - before


@pytest.mark.parametrize("number", [1, 10])
async def test_a_holder_is_recomputed_with_one_read_and_a_write_of_what_differs(paying, number):
    """However many subscriptions it has. The plan is written, and the person's role; either is audited."""
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    told = [subscription_of(holder, price, external_id=f"sub_{one}") for one in range(number)]
    await paying.deliver(*(paying.truth.put(one) for one in told))
    await paying.work()
    assert await paying.plan_of(holder) == "pro"
    assert await recomputed(paying, holder) == 1
    # The period ends and nobody tells: what the holder has is over.
    await paying.kit.move(MONTH * 2)
    assert await recomputed(paying, holder) == 1 + 2 + 2
    assert await paying.plan_of(holder) == "free"
    assert await recomputed(paying, holder) == 1


async def test_a_renewal_is_one_read_and_two_writes(paying):
    """Until when the plan is in force, and until when the role."""
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    await paying.deliver(paying.truth.put(subscription_of(holder, paying.truth.sell("pro"))))
    await paying.work()
    async with paying.kit.system.service() as ctx:
        row = await subscriptions.subscription(ctx.db, "fake", "sub_1", lock=True)
        assert row is not None
        later = {"period_start": row.period_end, "period_end": row.period_end + MONTH}
        await subscriptions.put_subscription(ctx.db, msgspec.structs.replace(row, **later))
    assert await recomputed(paying, holder) == 1 + 2
    assert await recomputed(paying, holder) == 1
