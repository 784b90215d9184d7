"""Who may see the operator's pages, by role and by policy."""

import json
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from admin.acting import make_operator, team_of
from billing.truth import subscription_of
from house.rules import routes
from tenantry.admin.operator import operator
from tenantry.admin.people import ACTS
from tenantry.billing.models import BillingEvents, Subscriptions
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import statement
from tenantry.kernel.jobs.models import Jobs
from tenantry.kernel.mail.models import Mails
from tenantry.kernel.policies import PolicyRefused
from tenantry.kernel.problems import NotFound
from tenantry.keys.models import ApiKeys

MORE = ("/admin/organizations", "/admin/credits", "/admin/revenue", "/admin/revenue.csv")
NOBODY = "019f0000-0000-7000-8000-000000000000"


async def impersonating(office):
    """Ada in another browser, looking through grace's eyes; she may even change something."""
    browser = await office.kit.sign_in("ada")
    grace = (await office.grace.get("/v1/me")).json()["id"]
    typed = {"reason": "to look", "may_write": "true"}
    begun = await browser.post(f"/admin/users/{grace}/impersonate", data=typed)
    assert (begun.status_code, begun.headers["location"]) == (303, "/dashboard")
    return browser


async def visitors(office):
    """Everybody who is no operator: what they are, their browser, and what reading and sending is answered."""
    alan = await office.kit.sign_in("alan", client=await office.kit.client(Accept="text/html"))
    user = UUID((await alan.get("/v1/me")).json()["id"])
    yield "nobody", await office.kit.client(Accept="text/html"), 303, 303
    yield "a user", office.grace, 404, 404
    await become(office, user, role="PREMIUM")
    yield "PREMIUM", alan, 404, 404
    await team_of(office, user, office.operator)
    yield "the owner of an organization that an operator belongs to", alan, 404, 404
    yield "an operator in somebody else's place", await impersonating(office), 404, 403
    await become(office, user, role="ADMIN", banned_at=office.kit.clock.now())
    yield "a banned operator", alan, 303, 303


def requests_of(app, person):
    """Every request to the operator's pages, what is done with a person one by one; and what an operator is answered.

    Nothing is sent with a form, so that nothing is done.
    """
    for door in routes.doors(app):
        if not door.path.startswith("/admin"):
            continue
        if door.path.endswith("/{act}"):
            answers = {422} if door.method == "POST" else {200}
            names = [*ACTS, "impersonate"] if door.method != "POST" else ACTS
            yield from ((door.method, f"/admin/users/{person}/{name}", answers) for name in names)
            continue
        path = "/".join(NOBODY if part.startswith("{") else part for part in door.path.split("/"))
        yield door.method, path, {404} if "{" in door.path else {200}


async def become(office, user, **values):
    async with office.kit.system.service() as ctx:
        await ctx.db.run(statement(update(Users).where(Users.id == user).values(**values)))


async def test_every_page_is_closed_to_all_but_operators(office):
    """Who is not signed in, or is banned, is asked to sign in; for all others there is nothing (404)."""
    asked = [*requests_of(office.kit.app, (await office.grace.get("/v1/me")).json()["id"])]
    assert len(asked) >= 40
    async for who, browser, reading, sending in visitors(office):
        for method, path, _ in asked:
            answer = await browser.request(method, path)
            expected = sending if method == "POST" else reading
            assert answer.status_code == expected, (who, method, path, answer.text[:500])
            assert expected != 303 or answer.headers["location"].partition("?")[0] == "/signin", (who, path)
    for method, path, expected in asked:
        opened = await office.ada.request(method, path)
        assert opened.status_code in expected, (method, path, opened.text[:500])
    hers, theirs = (await office.ada.get("/dashboard")).text, (await office.grace.get("/dashboard")).text
    assert all(f'href="/admin/{one}"' in hers for one in ("jobs", "events", "users", "revenue", "credits"))
    assert "/admin" not in theirs
    assert (await office.see("/admin/jobs")).count('aria-current="page"') == 1


async def test_what_the_product_has_not_is_not_there(start):
    kit = await start()
    ada = await kit.sign_in("ada")
    await make_operator(kit, ada)
    overview = (await ada.get("/admin")).text
    assert "/admin/events" not in overview
    for path in ("/admin/events", "/admin/purchases", "/admin/subscriptions", "/admin/trials", *MORE):
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
    """Also where raw SQL asks, past everything that the application adds."""
    grace = await office.grace.post("/v1/keys", json={"label": "hers"})
    assert grace.status_code == 201, grace.text
    bought = office.truth.put(subscription_of(None, office.truth.sell("pro"), email="grace@example.com"))
    await office.deliver(bought)
    async with office.as_operator().unit(writes=False) as ctx:
        assert await ctx.db.rows(statement(select(Users.id))) == [office.operator]
        for table in (Subscriptions, ApiKeys):
            assert await ctx.db.rows(statement(select(table.id))) == []
    if office.kit.database.kind == "postgresql":
        login = await asyncpg.connect(office.kit.database.api_url)
        try:
            await login.execute("SET ROLE authenticated")
            claims = json.dumps({"sub": str(office.operator), "role": "service_role", "user_role": "ADMIN"})
            await login.execute("SELECT set_config('request.jwt.claims', $1, false)", claims)
            assert [row["id"] for row in await login.fetch("SELECT id FROM users")] == [office.operator]
            assert {row["user_id"] for row in await login.fetch("SELECT user_id FROM sessions")} == {office.operator}
            for table in ("subscriptions", "api_keys", "payments", "credit_grants", "organizations", "memberships"):
                assert await login.fetch(f"SELECT 1 FROM {table}") == [], table
        finally:
            await login.close()


async def test_404_through_another_operators_eyes(office):
    ctx = office.as_operator()
    assert await operator(ctx) is ctx
    with pytest.raises(NotFound):
        await operator(replace(ctx, actor=replace(ctx.actor, impersonator_id=new_id())))
