"""Who may see the operator's pages, by role and by policy."""

import asyncpg
import pytest
from sqlalchemy import select

from admin.acting import make_operator
from house.rules import routes
from tenantry.billing.models import BillingEvents, Subscriptions
from tenantry.identity.models import Users
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import statement
from tenantry.kernel.jobs.models import Jobs
from tenantry.kernel.mail.models import Mails
from tenantry.kernel.policies import PolicyRefused

NOBODY = "019f0000-0000-7000-8000-000000000000"


async def test_404_for_people_without_the_right_and_a_stranger_signs_in(office):
    doors = [door for door in routes.doors(office.kit.app) if door.path.startswith("/admin")]
    assert len(doors) >= 15
    stranger = await office.kit.client(Accept="text/html")
    for door in doors:
        parts = (NOBODY if part.startswith("{") else part for part in door.path.split("/"))
        path = "/".join(parts)
        asked = await stranger.request(door.method, path)
        assert (asked.status_code, asked.headers["location"].partition("?")[0]) == (303, "/signin"), door
        refused = await office.grace.request(door.method, path)
        assert refused.status_code == 404, door
        opened = await office.ada.request(door.method, path)
        assert opened.status_code in ({404, 409, 422} if "{" in door.path else {200}), (door, opened.text[:500])
        if "{" in door.path and door.method == "GET":
            assert opened.status_code == 404, door
    hers, theirs = (await office.ada.get("/dashboard")).text, (await office.grace.get("/dashboard")).text
    assert 'href="/admin/jobs"' in hers
    assert 'href="/admin/events"' in hers
    assert "/admin" not in theirs


async def test_what_the_product_has_not_is_not_there(start):
    kit = await start()
    ada = await kit.sign_in("ada")
    await make_operator(kit, ada)
    overview = (await ada.get("/admin")).text
    assert "/admin/events" not in overview
    for path in ("/admin/events", "/admin/purchases", "/admin/subscriptions", "/admin/trials"):
        assert (await ada.get(path)).status_code == 404, path


@pytest.mark.parametrize("table", [AuditLog, BillingEvents, Jobs, Mails])
async def test_the_policy_alone_closes_what_nobody_owns(office, table):
    with pytest.raises(PolicyRefused):
        async with office.as_operator().unit(writes=False) as ctx:
            await ctx.db.rows(statement(select(table.id)))
    if office.kit.database.kind == "postgresql":
        login = await asyncpg.connect(office.kit.database.api_url)
        try:
            await login.execute("SET ROLE authenticated")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.fetch(f"SELECT id FROM {table.__tablename__}")
        finally:
            await login.close()


async def test_the_policy_alone_shows_an_operator_no_more_than_anybody(office):
    async with office.as_operator().unit(writes=False) as ctx:
        assert await ctx.db.rows(statement(select(Users.id))) == [office.operator]
        assert await ctx.db.rows(statement(select(Subscriptions.id))) == []
