"""An operator and what organizations hold: found by who owns it, and not bounded by a role in an organization."""

import pytest
from sqlalchemy import update

from organizations_billed.team import HTML, Team, team_product
from tenantry import Credits
from tenantry.billing import BillingProviders
from tenantry.identity.errors import PlanOfOrganizations
from tenantry.identity.models import Users
from tenantry.identity.operating import grant_plan
from tenantry.kernel.database import param, statement

_promote = statement(update(Users).where(Users.id == param("user")).values(role="ADMIN"))


async def test_409_a_plan_by_hand_is_an_organizations_and_no_persons(start, till):
    ports = {BillingProviders: BillingProviders({"fake": till})}
    team = await Team.of(await start(team_product(), clock=till.clock, ports=ports))
    async with team.kit.system.service() as ctx:
        await ctx.db.run(_promote, user=team.users["alan"])
    home = f"/admin/users/{team.users['ada']}"
    person = (await team.alan.get(home, headers=HTML)).text
    assert f"{home}/plan" not in person
    # The way: the person's organizations stand on the page, and the plan is given there.
    assert f"/admin/organizations/{team.id}" in person
    for refused in (
        await team.alan.get(f"{home}/plan", headers=HTML),
        await team.alan.post(f"{home}/plan", data={"plan": "pro", "reason": "a promise"}, headers=HTML),
    ):
        assert (refused.status_code, "Give it to an organization of theirs" in refused.text) == (409, True)
    with pytest.raises(PlanOfOrganizations):
        await grant_plan(team.kit.system, "ada@example.com", "pro", reason="a promise")
    assert await team.plans() == ["free"] * 4
    given = {"plan": "pro", "reason": "a promise"}
    granted = await team.alan.post(f"/admin/organizations/{team.id}/plan", data=given, headers=HTML)
    assert granted.status_code == 303, granted.text
    assert await team.plans() == ["pro", "pro", "pro", "free"]


async def test_an_operator_finds_an_organizations_credits_and_ends_its_keys(start, till):
    ports = {BillingProviders: BillingProviders({"fake": till})}
    team = await Team.of(await start(team_product(credits=Credits("tokens")), clock=till.clock, ports=ports))
    key = (await team.grace.post("/v1/keys", json={"label": "leaked"})).json()
    # Alan works as a member of that very organization.
    async with team.kit.system.service() as ctx:
        await ctx.db.run(_promote, user=team.users["alan"])
    found = await team.alan.get("/admin/credits", params={"owner": "ADA@example.com"}, headers=HTML)
    assert found.headers["location"] == f"/admin/credits/{await team.holder()}"
    ended = await team.alan.post(f"/admin/keys/{key['id']}/revoke", data={"reason": "leaked"}, headers=HTML)
    assert ended.status_code == 303, ended.text
    assert (await team.ada.get(f"/v1/keys/{key['id']}")).json()["state"] == "revoked"
    # For customers' own work he is a member as before.
    assert (await team.alan.post("/v1/keys", json={"label": "mine"})).status_code == 403
