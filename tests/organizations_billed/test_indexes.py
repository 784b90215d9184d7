"""What a member reads often is served by an index, among thousands of organizations and with fresh statistics."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert

from organizations_billed.team import team_product
from tenantry.billing.models import Payments, Subscriptions
from tenantry.billing.queries import reading
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.context import Actor, identity_of
from tenantry.kernel.database import statement
from tenantry.kernel.policies import Role
from tenantry.keys import queries as keys
from tenantry.keys.models import ApiKeys
from tenantry.organizations.models import Memberships, Organizations
from tenantry.organizations.queries import answering, lookup
from tenantry.site import queries as site
from tenantry.usage.models import UsageCounters
from tenantry.usage.queries import counters, history

PEOPLE, BATCH = 3000, 200
MINE = (UUID(int=8), UUID(int=9))
WALKED = ("holders", "users", "memberships", "organizations", "api_keys", "subscriptions", "payments", "usage_counters")
SERVED = {
    "a page of keys": (keys._page, Role.AUTHENTICATED),
    "places": (keys._places, Role.AUTHENTICATED),
    "subscriptions": (reading._page, Role.AUTHENTICATED),
    "the account": (reading._account_of, Role.AUTHENTICATED),
    "payments": (reading._first_payments, Role.AUTHENTICATED),
    "windows": (counters._windows, Role.AUTHENTICATED),
    "history": (history._history, Role.AUTHENTICATED),
    "the own row": (site._me, Role.AUTHENTICATED),
    "the session": (lookup._live_billed, Role.SERVICE),
    "the first owned": (answering._first_owned, Role.SERVICE),
}


def tables(now):
    ids = [UUID(int=number + 1) for number in range(PEOPLE)]
    paid = {"provider": "polar", "status": "paid", "reason": "initial", "amount_minor": 900, "currency": "USD"}
    bought = {"provider": "polar", "raw_status": "x", "slot": "only", "status": "active"}
    window = {
        "meter": "requests",
        "holder_revision": 1,
        "used": 1,
        "window_start": now,
        "window_end": now + timedelta(days=1),
    }
    # Each person's own holder, and behind it that of the organization, which has all the rest.
    held = {one: UUID(int=PEOPLE + one.int) for one in ids}
    return [
        {Users: [{"id": one, "email": f"{one}@example.com", "email_verified_at": now} for one in ids]},
        {
            Organizations: [{"id": one, "name": "x", "owner_id": one} for one in ids],
            Memberships: [{"organization_id": one, "user_id": one, "role": "owner"} for one in ids],
        },
        {Holders: [{"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "free"} for one in ids]},
        {
            Holders: [
                {"id": held[one], "kind": "organization", "organization_id": one, "plan": "free"} for one in ids
            ],
            ApiKeys: [
                {"id": one, "holder_id": held[one], "label": "x", "hash": one.bytes * 2, "prefix": "p",
                 "ending": "1234", "scopes": []} for one in ids
            ],
            Subscriptions: [{"id": one, "holder_id": held[one], "external_id": str(one), **bought} for one in ids],
            Payments: [{"id": one, "holder_id": held[one], "external_id": str(one), **paid} for one in ids],
            UsageCounters: [{"holder_id": held[one], **window} for one in ids],
        },
    ]  # fmt: skip


@pytest.fixture
async def full(start):
    kit = await start(team_product())
    for step in tables(kit.clock.now()):
        for first in range(0, PEOPLE, BATCH):
            async with kit.system.service() as ctx:
                for table, rows in step.items():
                    await ctx.db.run(statement(insert(table).values(rows[first : first + BATCH])))
    if kit.database.kind == "sqlite":
        kit.runtime.service.writer.execute("ANALYZE")
    else:
        owner = await asyncpg.connect(kit.database.owner_url)
        await owner.execute("ANALYZE")
        await owner.close()
    return kit


async def plan_of(kit, wanted, role):
    me, now = MINE[0], kit.clock.now()
    asks = identity_of(Actor("user", user_id=me, organization_ids=MINE))
    given = {
        "holder": UUID(int=PEOPLE + 8), "user": me, "email": f"{me}@example.com", "before": UUID(int=2**128 - 1),
        "limit": 50, "offset": 0, "hash": b"x" * 32, "meters": ["requests"], "since": now, "until": now,
        "after": now, "_user_id": me, "_organization_ids": MINE,
    }  # fmt: skip
    compiled = wanted.compiled(kit.database.kind, role)
    extra = ("_user_id", "_organization_ids") if role is Role.AUTHENTICATED else ()
    arguments = compiled.arguments({name: given[name] for name in (*compiled.names, *extra)})
    if kit.database.kind == "sqlite":
        return [row[3] for row in kit.runtime.service.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)]
    sql = compiled.sql
    if role is Role.AUTHENTICATED and compiled.bound_sql is not None:
        sql, arguments = compiled.bound_sql, [*arguments, asks.claims()]
    login = await asyncpg.connect(kit.database.service_url if role is Role.SERVICE else kit.database.api_url)
    try:
        # As on a solid disk, whose pages cost the same wherever they lie.
        await login.execute("SET random_page_cost = 1.1")
        return [row[0].strip() for row in await login.fetch(f"EXPLAIN {sql}", *arguments)]
    finally:
        await login.close()


async def test_an_index_serves(full, subtests):
    for name, (wanted, role) in SERVED.items():
        with subtests.test(name):
            plan = await plan_of(full, wanted, role)

            scans = [f"SCAN {one}" for one in WALKED] + [f"Seq Scan on {one}" for one in WALKED]
            assert not [line for line in plan if any(one in line for one in scans) and " USING " not in line], plan
