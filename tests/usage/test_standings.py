"""How a holder stands on all meters of the product, in one trip."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_user, set_plan
from tenantry.holders.models import Plans
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor
from tenantry.kernel.database import param, statement
from tenantry.usage import Leases, decide
from tenantry.usage.queries.counters import standing, standings

requests, tokens, exports = Meter("requests", per="day"), Meter("tokens", per="month"), Meter("exports", per="day")
set_limits = statement(update(Plans).where(Plans.name == param("plan")).values(limits=param("limits")))
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 5, tokens: 1000, exports: 1}),
        Plan("pro", price=900, limits={requests: 50, tokens: None, exports: 3}),
    ],
)


@pytest.fixture
async def kit(start):
    kit = await start(PRODUCT)
    # As a deployment wrote it that did not know exports.
    async with kit.system.service() as ctx:
        await ctx.db.run(set_limits, plan="free", limits={"requests": 5, "tokens": 1000})
    return kit


@pytest.mark.parametrize("day", [1, 14])
async def test_all_meters_at_once_stand_as_each_by_itself(kit, day):
    await kit.set_time(datetime(2026, 3, day, 9, tzinfo=UTC))
    _, ada = await signed_in(kit, "ada")
    _, grace = await signed_in(kit, "grace")
    await decide(kit.system, grace.id, requests, 4)
    for plan in ("free", "pro", "free"):
        await to_plan(kit, ada, plan)
        for meter in (requests, tokens, exports):
            await decide(kit.system, ada.id, meter, 2)
        await kit.runtime.port(Leases).settle()
        async with kit.system.service(writes=False) as ctx:
            each = {m: await standing(ctx.db, ada.id, m.name, per=m.per) for m in PRODUCT.meters}
            assert await standings(ctx.db, ada.id, PRODUCT.meters) == each
    assert (each[requests].remaining, each[tokens].remaining, each[exports].remaining) == (1, 994, 0)


async def test_windows_of_yesterday_do_not_count(kit):
    client, ada = await signed_in(kit, "ada")
    await decide(kit.system, ada.id, requests, 2)
    await decide(kit.system, ada.id, tokens, 7)
    await kit.set_time(datetime(2026, 3, 15, tzinfo=UTC))
    client, ada = await signed_in(kit, "ada")
    items = (await client.get("/v1/me/usage")).json()["items"]
    assert [(one["meter"], one["used"]) for one in items] == [("requests", 0), ("tokens", 7), ("exports", 0)]


async def test_a_holder_that_is_not_there_stands_nowhere(kit):
    async with kit.system.service(writes=False) as ctx:
        assert await standings(ctx.db, new_id(), PRODUCT.meters) == {}


async def test_other_peoples_standings_are_not_seen(kit):
    (_, ada), (user, grace) = [await holder_of(kit, await kit.sign_in(person)) for person in ("ada", "grace")]
    as_grace = msgspec.structs.replace(kit.system, actor=Actor("user", user_id=user))
    async with as_grace.unit(writes=False) as ctx:
        assert await standings(ctx.db, ada.id, PRODUCT.meters) == {}
        assert len(await standings(ctx.db, grace.id, PRODUCT.meters)) == 3


async def test_a_meter_that_is_not_in_the_plan_is_told_as_nothing(kit):
    client, _ = await signed_in(kit, "ada")
    assert (await client.get("/v1/me/usage")).json()["items"][2]["limit"] == 0
    page = (await client.get("/dashboard", headers={"Accept": "text/html"})).text
    assert "Not in this plan" in page


async def test_usage_costs_one_statement_beside_the_look_up_of_the_session(kit):
    client, _ = await signed_in(kit, "ada")
    with counted(kit) as units:
        assert len((await client.get("/v1/me/usage")).json()["items"]) == 3
    assert sum(unit.statements for unit in units) == 2


class Counting:
    """A database that remembers the units it opened."""

    def __init__(self, database, units):
        self.database, self.units = database, units

    def unit(self, *args, **kwargs):
        self.units.append(self.database.unit(*args, **kwargs))
        return self.units[-1]


@contextmanager
def counted(kit):
    units, runtime = [], kit.runtime
    kit.app.state.runtime = replace(runtime, api=Counting(runtime.api, units), service=Counting(runtime.service, units))
    try:
        yield units
    finally:
        kit.app.state.runtime = runtime


async def signed_in(kit, person):
    client = await kit.sign_in(person)
    _, holder = await holder_of(kit, client)
    return client, holder


async def holder_of(kit, client):
    user = UUID((await client.get("/v1/me")).json()["id"])
    async with kit.system.service(writes=False) as ctx:
        return user, await by_user(ctx.db, user)


async def to_plan(kit, holder, plan):
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder.id, plan, source="admin", reason="a test")
