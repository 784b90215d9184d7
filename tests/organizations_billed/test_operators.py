"""An operator and what organizations hold: found by who owns it, and not bounded by a role in an organization."""

from sqlalchemy import update

from organizations_billed.team import HTML, Team, team_product
from tenantry import Credits
from tenantry.billing import BillingProviders
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement

_promote = statement(update(Users).where(Users.id == param("user")).values(role="ADMIN"))


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
