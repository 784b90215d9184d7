"""What a decision says: whose plan, how much is left, when to come back; and which meters there are."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_user, set_plan
from tenantry.holders.models import Plans
from tenantry.kernel.database import param, statement
from tenantry.usage import Leases, QuotaExceeded, decide
from tenantry.usage.queries.counters import windows

set_limits = statement(update(Plans).where(Plans.name == param("plan")).values(limits=param("limits")))
requests = Meter("requests", per="day")
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("small", price=0, limits={requests: 10}), Plan("large", price=900, limits={requests: 20})],
)


async def holder_of(kit, person):
    client = await kit.sign_in(person)
    me = (await client.get("/v1/me")).json()
    async with kit.system.service(writes=False) as ctx:
        return await by_user(ctx.db, UUID(me["id"]))


async def test_the_plan_is_that_of_the_holder_asked_about(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    assert (await decide(kit.system, ada.id, requests)).plan == "small"
    async with kit.system.service() as ctx:
        await set_plan(ctx, ada.id, "large", source="admin", reason="test")
    decision = await decide(kit.system, ada.id, requests)
    assert (decision.plan, decision.limit, decision.used) == ("large", 20, 2)
    grace = replace(kit.system, current_holder=await holder_of(kit, "grace"))
    assert (await decide(grace, ada.id, requests)).plan == "large"
    assert (await decide(grace, grace.holder.id, requests)).plan == "small"


async def test_a_meter_nobody_declared_is_refused_not_unlimited(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    with pytest.raises(LookupError, match='"reqests" per day'):
        await decide(kit.system, ada.id, Meter("reqests", per="day"))
    with pytest.raises(LookupError, match='"requests" per month'):
        await decide(kit.system, ada.id, Meter("requests", per="month"))


async def test_429_says_what_is_left_and_whether_waiting_helps(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    await decide(kit.system, ada.id, requests, 7)
    now = kit.clock.now()

    some = QuotaExceeded.of(await decide(kit.system, ada.id, requests, 5), now)
    assert "costs 5 requests, and 3 of 10 are left" in some.detail
    assert "Retry-After" in some.headers
    never = QuotaExceeded.of(await decide(kit.system, ada.id, requests, 11), now)
    assert "costs 11 requests, more than the plan's whole limit" in never.detail
    assert "Retry-After" not in never.headers
    await decide(kit.system, ada.id, requests, 3)
    none = QuotaExceeded.of(await decide(kit.system, ada.id, requests), now)
    assert none.detail.startswith("All 10 requests of this window are used")
    assert (await decide(kit.system, ada.id, requests)).used == 10


async def test_the_next_window_admits_again(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    await decide(kit.system, ada.id, requests, 10)
    assert not (await decide(kit.system, ada.id, requests)).allowed
    await kit.set_time(datetime(2026, 3, 15, tzinfo=UTC))
    assert (await decide(kit.system, ada.id, requests)).used == 1


async def test_429_waiting_does_not_help_above_the_limit_of_a_smaller_plan(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    await to_plan(kit, ada, "large")
    await decide(kit.system, ada.id, requests, 15)
    await to_plan(kit, ada, "small")
    refused = await decide(kit.system, ada.id, requests, 11)
    assert (refused.allowed, refused.limit, refused.waiting_helps) == (False, 15, False)
    assert "Retry-After" not in QuotaExceeded.of(refused, kit.clock.now()).headers
    assert (await decide(kit.system, ada.id, requests, 10)).waiting_helps


async def test_a_refusal_is_not_remembered_into_the_next_day(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    await kit.set_time(datetime(2026, 3, 14, 23, 59, 59, 900_000, tzinfo=UTC))
    await decide(kit.system, ada.id, requests, 10)
    assert not (await decide(kit.system, ada.id, requests, 3)).allowed
    await kit.move(milliseconds=100)
    decision = await decide(kit.system, ada.id, requests, 3)
    assert (decision.allowed, decision.used, decision.remaining) == (True, 3, 7)
    assert decision.reset_at == datetime(2026, 3, 16, tzinfo=UTC)


async def test_a_plan_that_says_nothing_about_a_meter_admits_nothing(start):
    kit = await start(PRODUCT)
    await forget_the_meter(kit, "small")
    ada = await holder_of(kit, "ada")
    refused = await decide(kit.system, ada.id, requests)
    assert (refused.allowed, refused.limit, refused.remaining, refused.waiting_helps) == (False, 0, 0, False)
    await to_plan(kit, ada, "large")
    admitted = await decide(kit.system, ada.id, requests, 3)
    assert (admitted.allowed, admitted.limit) == (True, 20)
    await to_plan(kit, ada, "small")
    refused = await decide(kit.system, ada.id, requests)
    assert (refused.allowed, refused.used, refused.limit) == (False, 3, 3)
    await kit.runtime.port(Leases).settle()
    async with kit.system.service(writes=False) as ctx:
        assert [(one.used, one.quota) for one in await windows(ctx.db, ada.id)] == [(3, 3)]


async def to_plan(kit, holder, plan):
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder.id, plan, source="admin", reason="test")


async def forget_the_meter(kit, plan):
    """A plan as a deployment wrote it that did not know the meter."""
    async with kit.system.service() as ctx:
        await ctx.db.run(set_limits, plan=plan, limits={"other": None})
