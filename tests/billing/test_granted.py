"""C-02: a plan that was given by hand, beside what is paid for: the higher of the two is in force."""

import msgspec
import pytest

from billing.truth import subscription_of
from tenantry.holders import PlanUnknown, by_id, set_plan
from tenantry.identity.errors import UserNotFound
from tenantry.identity.operating import grant_plan


async def grant(paying, holder, plan, source="admin"):
    async with paying.kit.system.service() as ctx:
        await set_plan(ctx, holder, plan, source=source, reason="a promise")


async def stands(paying, holder):
    async with paying.kit.system.service(writes=False) as ctx:
        found = await by_id(ctx.db, holder)
    return found.plan


async def test_c_02_billing_never_lowers_what_was_given_and_what_is_above_it_counts(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    pro, business = paying.truth.sell("pro"), paying.truth.sell("business")
    low = subscription_of(holder, pro)
    high = subscription_of(holder, business)
    await grant(paying, holder, "pro")
    assert await stands(paying, holder) == "pro"
    for told, plan in [
        (high, "business"),
        (msgspec.structs.replace(high, status="past_due", raw_status="past_due"), "business"),
        (low, "pro"),
        (msgspec.structs.replace(low, status="canceled", raw_status="canceled"), "pro"),
    ]:
        await paying.deliver(paying.truth.put(told))
        await paying.work()
        assert await stands(paying, holder) == plan
        assert (await ada.get("/v1/me")).json()["plan"]["name"] == plan
    await grant(paying, holder, "free")
    assert await stands(paying, holder) == "free"


async def test_c_02_a_grant_below_what_is_paid_takes_nothing_away(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    told = subscription_of(holder, paying.truth.sell("business"))
    await paying.deliver(paying.truth.put(told))
    await paying.work()
    for plan, source in [("pro", "admin"), ("pro", "trial"), ("free", "admin"), ("pro", "admin")]:
        await grant(paying, holder, plan, source)
        assert await stands(paying, holder) == "business"
        # Its end too is known: at that moment what was given stands, before anybody has told.
    await paying.kit.set_time(told.period_end)
    await paying.kit.move(days=3)
    assert await stands(paying, holder) == "pro"
    assert (await ada.get("/v1/me")).status_code == 401
    ada = await paying.kit.sign_in("ada")
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "pro"


async def test_c_02_an_operator_is_told_what_is_in_force_beside_what_was_given(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    email = (await ada.get("/v1/me")).json()["email"]
    found = await grant_plan(paying.kit.system, email.upper(), "pro", reason="a promise")
    assert (found.email, found.granted, found.before, found.plan) == (email, "pro", "free", "pro")
    await paying.deliver(paying.truth.put(subscription_of(holder, paying.truth.sell("business"))))
    await paying.work()
    found = await grant_plan(paying.kit.system, email, "pro", reason="again")
    assert (found.granted, found.before, found.plan) == ("pro", "business", "business")
    with pytest.raises(PlanUnknown):
        await grant_plan(paying.kit.system, email, "gold", reason="x")
    with pytest.raises(UserNotFound):
        await grant_plan(paying.kit.system, "nobody@example.com", "pro", reason="x")
