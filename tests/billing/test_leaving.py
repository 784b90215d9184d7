"""Whoever closes their account is not charged again."""

from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from billing.truth import subscription_of
from tenantry.identity.actions.people import delete_user
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import statement
from tenantry.kernel.jobs.models import Jobs


async def closed(paying, *bought):
    browser = await paying.kit.sign_in("ada")
    holder, price = await paying.holder_of(browser), paying.truth.sell("pro")
    for one in bought or (subscription_of(None, price),):
        await paying.deliver(paying.truth.put(msgspec.structs.replace(one, holder_id=holder, price=price)))
    await paying.work()
    user = UUID((await browser.get("/v1/me")).json()["id"])
    async with paying.kit.system.service() as ctx:
        await delete_user(ctx, user, reason="test")


_audited = statement(select(func.count()).select_from(AuditLog).where(AuditLog.action == "billing.cancelled"))
_open_jobs = statement(
    select(func.count()).select_from(Jobs).where(Jobs.name == "billing.stop_charging", Jobs.status != "done")
)


async def cancelled(paying):
    async with paying.kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_audited)


async def dead_or_waiting(paying):
    async with paying.kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_open_jobs)


def said(paying, external_id="sub_1"):
    return paying.truth.objects["subscription"][external_id]


async def test_what_goes_on_ends_with_its_period(paying):
    await closed(paying)
    assert said(paying).cancel_at is None
    await paying.kit.run_jobs()
    assert said(paying).cancel_at == said(paying).period_end


async def test_what_has_ended_or_will_is_left_alone(paying):
    over = subscription_of(None, "price_pro", external_id="sub_over", customer="cus_1", status="canceled")
    at = paying.kit.clock.now() + timedelta(days=2)
    leaving = subscription_of(None, "price_pro", external_id="sub_leaving", customer="cus_1", cancel_at=at)
    await closed(paying, over, leaving)
    await paying.kit.run_jobs()
    assert said(paying, "sub_over").cancel_at is None
    assert said(paying, "sub_leaving").cancel_at == at


async def test_a_provider_that_is_away_is_told_later(paying):
    await closed(paying)
    paying.truth.is_away = True
    await paying.kit.run_jobs()
    assert said(paying).cancel_at is None
    paying.truth.is_away = False
    await paying.kit.move(hours=2)
    await paying.kit.run_jobs()
    assert said(paying).cancel_at == said(paying).period_end


async def test_a_provider_that_refuses_is_asked_again_and_nobody_is_told_that_it_was_done(paying):
    await closed(paying)
    paying.truth.refuses = True
    await paying.kit.run_jobs()
    assert said(paying).cancel_at is None
    assert await cancelled(paying) == 0
    paying.truth.refuses = False
    await paying.kit.move(hours=2)
    await paying.kit.run_jobs()
    assert said(paying).cancel_at == said(paying).period_end
    assert await cancelled(paying) == 1


async def test_what_ended_there_meanwhile_is_as_good(paying):
    await closed(paying)
    over = {"status": "canceled", "raw_status": "canceled", "ended_at": paying.kit.clock.now()}
    paying.truth.put(msgspec.structs.replace(said(paying), **over))
    paying.truth.refuses = True
    await paying.kit.run_jobs()
    assert await dead_or_waiting(paying) == 0
    assert await cancelled(paying) == 0
