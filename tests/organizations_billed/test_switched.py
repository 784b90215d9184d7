"""A product that has billed its people bills organizations from now on: those that are there get what they lack."""

import asyncio
from uuid import UUID

from sqlalchemy import func, select

from organizations_billed.team import HTML, team_product
from tenantry.billing import BillingProviders
from tenantry.holders import by_user, set_plan
from tenantry.holders.models import Holders
from tenantry.identity.operating import appoint
from tenantry.kernel.database import statement
from tenantry.organizations import count_without_holder, open_missing_holders
from tenantry.organizations.answering import owned_holder
from tenantry.product import Organizations

_held = statement(select(func.count()).select_from(Holders).where(Holders.kind == "organization"))


async def counted(kit):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_held), await count_without_holder(ctx.db, kit.runtime.product)


async def test_organizations_that_were_made_before_get_their_plan_with_the_first_start(start, till):
    ports = {BillingProviders: BillingProviders({"fake": till})}
    given = {"clock": till.clock, "ports": ports}
    before = await start(team_product(billed="user", organizations=Organizations()), **given)
    ada = await before.sign_in("ada")
    made = [(await ada.post("/v1/organizations", json={"name": name})).json()["id"] for name in ("One", "Two")]
    # Nobody is missing anything while people hold the plans.
    assert await counted(before) == (0, 0)
    assert await open_missing_holders(before.system) == 0

    kit = await start(team_product(), **given)
    assert await counted(kit) == (2, 0)
    ada = await kit.sign_in("ada")
    assert (await ada.put("/v1/me/organization", json={"organization_id": made[0]})).status_code == 200
    await appoint(kit.system, "grace@example.com", reason="looks after it")
    grace = await kit.sign_in("grace")
    plan = {"plan": "pro", "reason": "had it before"}
    answer = await grace.post(f"/admin/organizations/{made[0]}/plan", data=plan, headers=HTML)
    assert answer.status_code == 303, answer.text
    assert (await ada.get("/v1/me")).json()["plan"]["name"] == "pro"
    # Another start finds nothing to do.
    assert await open_missing_holders(kit.system) == 0


async def test_of_processes_that_start_at_once_one_writes_each_holder(start, till):
    given = {"clock": till.clock, "ports": {BillingProviders: BillingProviders({"fake": till})}}
    before = await start(team_product(billed="user", organizations=Organizations()), **given)
    ada = await before.sign_in("ada")
    kit = await start(team_product(), **given)
    # An older process goes on for a while, and makes some.
    for number in range(3):
        assert (await ada.post("/v1/organizations", json={"name": f"Late {number}"})).status_code == 201
    assert await counted(kit) == (0, 3)
    opened = await asyncio.gather(*(open_missing_holders(kit.system) for _ in range(4)))
    assert sum(opened) == 3
    assert await counted(kit) == (3, 0)


async def test_the_own_entries_of_the_audit_log_have_the_own_holders_too(start, till):
    """Also of who works for an organization."""
    given = {"clock": till.clock, "ports": {BillingProviders: BillingProviders({"fake": till})}}
    kit = await start(team_product(), **given)
    ada = await kit.sign_in("ada")
    me = (await ada.get("/v1/me")).json()
    assert me["organization_id"]
    own = (await ada.get("/v1/audit")).json()["items"]
    assert "holder.plan_set" not in {one["action"] for one in own}
    async with kit.system.service() as ctx:
        held = await by_user(ctx.db, UUID(me["id"]))
        await set_plan(ctx, held.id, "pro", source="admin", reason="of old")
        theirs = await owned_holder(ctx, me["organization_id"])
        await set_plan(ctx, theirs.holder.id, "team", source="admin", reason="of all")
    own = (await ada.get("/v1/audit")).json()["items"]
    told = [one["subject_id"] for one in own if one["action"] == "holder.plan_set"]
    assert told == [str(held.id)]
