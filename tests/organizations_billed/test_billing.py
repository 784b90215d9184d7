"""An organization's subscription: roles say who buys and changes it, its plan is that of all who work for it."""

from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import Table, func, select

from organizations_billed.team import HTML, ROLE, outcome
from tenantry.billing.applying import apply
from tenantry.billing.operating import bought_by, unlinked
from tenantry.billing.queries import inbox
from tenantry.billing.snapshots import ExternalId, SubscriptionSnapshot
from tenantry.holders.organizations import by_organization
from tenantry.identity.actions.people import delete_user
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.context import Actor, Context
from tenantry.kernel.database import Base, param, statement
from tenantry.kernel.database.types import Id
from tenantry.kernel.policies import Role, policy_of

_cancelled = statement(select(func.count()).select_from(AuditLog).where(AuditLog.action == "billing.cancelled"))


async def told(team, till, external_id):
    """As the worker does, that was told of a subscription and has read it."""
    snapshots = await till.read("subscription", external_id)
    async with team.kit.system.service() as ctx:
        await apply(ctx, "fake", snapshots, read_at=await inbox.database_now(ctx.db))


@pytest.fixture
async def bought(team, till):
    """Grace, an admin, buys; no event has told of it when she comes back."""
    opened = await team.grace.post("/v1/checkout", json={"plan": "pro", "interval": "month"})
    assert opened.status_code == 201, opened.text
    external_id = till.pay(opened.json()["url"])
    assert (await team.grace.get("/billing/success", headers=HTML)).status_code == 200
    return external_id


async def test_its_plan_is_that_of_all_who_work_for_it(team, till, bought):
    assert await team.plans() == ["pro", "pro", "pro", "free"]
    # At the provider it is the organization, at its owner's address.
    [customer] = till.customers.values()
    assert (customer.email, customer.holder_id) == ("ada@example.com", await team.holder())
    assert till.checkouts[-1].holder_id == await team.holder()
    # A member sees it, and may nothing with it.
    [held] = (await team.alan.get("/v1/subscriptions")).json()["items"]
    assert held["plan"] == "pro"
    till.bill(bought)
    for path in ("checkout", "portal", *(f"subscription/{one}" for one in ("change", "cancel", "resume", "pause"))):
        body = {"plan": "team"} if path in {"checkout", "subscription/change"} else {}
        assert outcome(await team.alan.post(f"/v1/{path}", json=body)) == ROLE, path
    assert outcome(await team.alan.post("/v1/checkout", json={"price": "price_1"})) == ROLE
    assert (await team.alan.post("/billing/checkout", data={"price": "price_1"}, headers=HTML)).status_code == 403
    for path in ("/billing", "/pricing"):
        text = (await team.alan.get(path, headers=HTML)).text
        assert 'action="/billing' not in text
        assert "/billing?plan=" not in text
        assert "The owner and the admins of your organization" in text
    assert 'action="/billing' in (await team.ada.get("/billing", headers=HTML)).text
    refused = await team.alan.post(f"/billing/subscriptions/{held['id']}/cancel", headers=HTML)
    assert (refused.status_code, "Your role in this organization" in refused.text) == (403, True)
    # For Mallory there is none.
    assert (await team.mallory.get("/v1/subscriptions")).json()["items"] == []
    asked = {"subscription_id": held["id"]}
    assert (
        outcome(await team.mallory.post("/v1/subscription/cancel", json=asked))[1] == "billing.subscription_not_found"
    )
    changed = await team.ada.post("/v1/subscription/change", json={"plan": "team"})
    assert changed.status_code == 200, changed.text
    assert await team.plans() == ["team", "team", "team", "free"]


async def test_those_who_answer_for_it_are_written_to(team, till, bought):
    failed = {"status": "past_due", "past_due_since": team.kit.clock.now()}
    till.move(bought, **failed)
    await told(team, till, bought)
    mails = await team.mails()
    assert [(to, subject) for to, subject, _ in mails] == [
        ("ada@example.com", "Your payment for Pro failed"),
        ("grace@example.com", "Your payment for Pro failed"),
    ]
    assert "This is about the organization" in await team.read_mail(mails[0][2])


async def test_who_leaves_ends_nothing_and_a_deleted_organization_is_not_charged_again(team, till, bought):
    async with team.kit.system.service() as ctx:
        await delete_user(ctx, team.users["grace"], reason="test")
    await team.kit.run_jobs()
    assert till.subscriptions[bought].cancel_at is None
    assert await team.plans() == ["pro", "", "pro", "free"]
    till.away = {"change"}
    assert (await team.ada.delete(f"/v1/organizations/{team.id}")).status_code == 204
    await team.kit.run_jobs()
    assert till.subscriptions[bought].status == "active"
    till.away = set()
    await team.kit.move(hours=2)
    await team.kit.run_jobs()
    assert till.subscriptions[bought].status == "canceled"
    async with team.kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_cancelled) == 1
    # What ends there by itself is nobody's any more, and nobody comes by it.
    await told(team, till, bought)
    [over] = await unlinked(team.kit.system)
    assert (over.external_id, over.email) == (bought, None)
    # Who belongs to none holds nothing and buys nothing.
    assert (await team.plans())[0] == "free"
    for wish in ({"plan": "pro"}, {"price": "price_1"}):
        assert outcome(await team.ada.post("/v1/checkout", json=wish)) == (409, "billing.organization_needed")
    assert "make one first" in (await team.ada.post("/billing/checkout", data={"wish": "pro"}, headers=HTML)).text


async def test_what_was_bought_elsewhere_is_the_first_ones_that_its_buyer_owns(team, till):
    second = await team.ada.post("/v1/organizations", json={"name": "Second"})
    assert second.status_code == 201, second.text
    for email, owns in (("ADA@example.com", True), ("nobody@example.com", False)):
        external_id = ExternalId(f"sub_of_{email}")
        till.subscriptions[external_id] = SubscriptionSnapshot(
            external_id=external_id, customer=ExternalId(f"cus_{email}"), email=email, price=ExternalId("price_3"),
            raw_status="paid", status="active", period_start=team.kit.clock.now(),
            period_end=team.kit.clock.now().replace(month=12),
        )  # fmt: skip
        await told(team, till, external_id)
        assert [one.external_id for one in await unlinked(team.kit.system)] == ([] if owns else [external_id])
    # Ada's session works for the second one now.
    assert await team.plans() == ["free", "team", "team", "free"]
    # It is not hers, but her organization's.
    mine = await bought_by(team.kit.system, team.users["ada"])
    assert mine is not None
    assert not mine.held


def of_holders() -> list[Table]:
    """The tables whose rows are a holder's, and that people read."""
    return [
        one
        for one in Base.metadata.sorted_tables
        if "holder_id" in one.columns and policy_of(one).rights(Role.AUTHENTICATED).read is not None
    ]


async def test_a_neighbour_is_kept_out_by_the_policies_alone_and_by_what_is_asked_alone(team, till, bought):
    assert (await team.grace.post("/v1/keys", json={"label": "robot"})).status_code == 201
    assert (await team.alan.get("/v1/work")).status_code == 200
    await team.mails()
    payment = till.bill(bought)
    async with team.kit.system.service() as ctx:
        await apply(ctx, "fake", [till.payments[payment]], read_at=await inbox.database_now(ctx.db))
    holder, filled = await team.holder(), set()
    people = {
        "alan": person(team, "alan", team.id),
        # A session tells at each request what its person belongs to, whatever that was before.
        "alan, gone": person(team, "alan"),
        "mallory": person(team, "mallory", team.other),
        "ada, gone": person(team, "ada", team.other),
    }
    for table in of_holders():
        rows = statement(select(func.count()).select_from(table).where(table.c.holder_id == param("holder", Id())))
        async with team.kit.system.service(writes=False) as ctx:
            there: int = await ctx.db.one(rows, holder=holder)
        seen = {name: await one.reading().db.one(rows, holder=holder) for name, one in people.items()}
        assert seen == {name: there if name == "alan" else 0 for name in people}, table.name
        filled |= {table.name} if there else set()
    assert {"api_keys", "customers", "payments", "subscriptions", "usage_counters"} <= filled

    # And on the login that no policy holds back: what is asked of one holder answers nothing of another.
    parts = [part for one in team.kit.runtime.modules if one.name in {"billing", "keys"} for part in one.exports]
    async with team.kit.system.service(writes=False) as ctx:
        for organization, is_theirs in ((team.id, True), (team.other, False)):
            as_her = replace(ctx, current_holder=await by_organization(ctx, organization))
            found = {part.name: bool(await part.collect(as_her)) for part in parts}
            assert found == dict.fromkeys(("keys", "subscriptions", "payments", "customers"), is_theirs)


def person(team, name: str, *organizations: UUID) -> Context:
    actor = Actor("user", user_id=team.users[name], organization_ids=organizations)
    return Context(team.kit.runtime, actor, team.kit.system.origin)
