"""What a decision says: whose plan, how much is left, when to come back; and which meters there are."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_user, set_plan
from tenantry.usage import QuotaExceeded, decide

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


async def test_a_meter_nobody_declared_is_refused_not_unlimited(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    with pytest.raises(LookupError, match="reqests"):
        await decide(kit.system, ada.id, Meter("reqests", per="day"))


async def test_429_says_what_is_left_and_whether_waiting_helps(start):
    kit = await start(PRODUCT)
    ada = await holder_of(kit, "ada")
    await decide(kit.system, ada.id, requests, 7)
    now = kit.clock.now()

    some = QuotaExceeded.of(await decide(kit.system, ada.id, requests, 5), now)
    assert "costs 5 requests, and 3 of 10 are left" in some.detail
    assert "Retry-After" in some.headers
    never = QuotaExceeded.of(await decide(kit.system, ada.id, requests, 11), now)
    assert "the plan allows 10 in all" in never.detail
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
