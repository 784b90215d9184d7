"""F-04, P-21: what the documents look subscriptions up by is served by an index, with fresh statistics.

They name them by their own columns: `user_id` is the holder here, `polarCustomerId` the provider's customer.
"""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert, select

from billing.conftest import paid_product
from tenantry.billing.models import Prices, Products, Subscriptions
from tenantry.billing.queries import owners, people, reading
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement
from tenantry.kernel.policies import Role
from tenantry.site import queries as site

PEOPLE, BATCH = 3000, 200
S = Subscriptions
PRICE = UUID(int=1)
_row = select(S.id, S.holder_id, S.plan, S.status, S.raw_status)
_holder, _status, _plan = S.holder_id == param("holder"), S.status == param("status"), S.plan == param("plan")
_customer = (S.provider == param("provider"), S.customer == param("customer"))

LOOKUPS = {
    "(user_id)": (_row.where(_holder), {"ix_subscriptions_holder_id_status", "uq_subscriptions_holder_id_id"}),
    "(status)": (_row.where(_status), {"ix_subscriptions_status_access_until", "ix_subscriptions_status_id"}),
    "(plan)": (_row.where(_plan), {"ix_subscriptions_plan_id"}),
    "(polarCustomerId)": (_row.where(*_customer), {"ix_subscriptions_provider_customer"}),
}
SERVED = {
    "a person by address": people._by_email,
    "a person's, active or trialing": people._with_subscriptions,
    "the current one": people._current,
    "a holder's, to recompute": owners._held,
    "a holder's account": reading._account_of,
    "the user's own row": site._me,
}


def tables(now):
    people_ids = [UUID(int=number + 1) for number in range(PEOPLE)]
    known = {"provider": "polar", "fetched_at": now, "is_active": True, "details": {}}
    return {
        Users: [{"id": one, "email": f"{one}@example.com"} for one in people_ids],
        Holders: [{"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "free"} for one in people_ids],
        Products: [{"id": PRICE, "external_id": "prod_1", "name": "x", **known}],
        Prices: [{"id": PRICE, "external_id": "price_1", "product_id": PRICE, "currency": "USD", **known}],
        Subscriptions: [
            {"id": UUID(int=ended * PEOPLE + number + 1), "holder_id": one, "provider": "polar", "price_id": PRICE,
             "external_id": f"sub_{number}_{ended}", "customer": f"cus_{number}", "raw_status": "x", "slot": "only",
             "plan": "business" if number % 300 == 0 else "pro",
             "status": "canceled" if ended else "past_due" if number % 300 == 0 else "active"}
            for number, one in enumerate(people_ids) for ended in (0, 1)
        ],
    }  # fmt: skip


@pytest.fixture
async def full(start):
    kit = await start(paid_product())
    for table, rows in tables(kit.clock.now()).items():
        async with kit.system.service() as ctx:
            for first in range(0, len(rows), BATCH):
                await ctx.db.run(statement(insert(table).values(rows[first : first + BATCH])))
    if kit.database.kind == "sqlite":
        kit.runtime.service.writer.execute("ANALYZE")
    else:
        owner = await asyncpg.connect(kit.database.owner_url)
        await owner.execute("ANALYZE")
        await owner.close()
    return kit


async def plan_of(kit, wanted):
    mine = UUID(int=8)
    given = {"holder": mine, "user": mine, "email": f"{mine}@example.com", "status": "past_due", "plan": "business",
             "provider": "polar", "customer": "cus_7", "at": kit.clock.now() + timedelta(days=1)}  # fmt: skip
    compiled = wanted.compiled(kit.database.kind, Role.SERVICE)
    arguments = compiled.arguments({name: given[name] for name in compiled.names})
    if kit.database.kind == "sqlite":
        return [row[3] for row in kit.runtime.service.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)]
    login = await asyncpg.connect(kit.database.service_url)
    try:
        # As on a solid disk, whose pages cost the same wherever they lie.
        await login.execute("SET random_page_cost = 1.1")
        return [row[0].strip() for row in await login.fetch(f"EXPLAIN {compiled.sql}", *arguments)]
    finally:
        await login.close()


async def test_f_04_each_lookup_of_the_documents_is_served_by_an_index(full, subtests):
    for name, (wanted, indexes) in LOOKUPS.items():
        with subtests.test(name):
            plan = "\n".join(await plan_of(full, statement(wanted, lambda *row: row)))
            assert any(one in plan for one in indexes), plan
            assert "Seq Scan" not in plan
            assert "SCAN" not in plan


async def test_t_14_s_10_what_a_person_bought_is_found_by_an_index(full, subtests):
    walked = "SCAN subscriptions" if full.database.kind == "sqlite" else "Seq Scan on subscriptions"
    for name, wanted in SERVED.items():
        with subtests.test(name):
            plan = await plan_of(full, wanted)
            assert any("subscriptions" in line for line in plan), plan
            assert not [line for line in plan if walked in line and " USING " not in line], plan
            assert not [line for line in plan if "Seq Scan on users" in line or line == "SCAN users"], plan
