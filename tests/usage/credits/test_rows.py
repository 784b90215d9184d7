"""The rows of credits: looked up by indexes with fresh statistics, closed to the neighbour, gone with their person."""

from datetime import timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import delete, func, insert, select, update

from tenantry import Credits, Google, Plan, Product
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement
from tenantry.kernel.policies import PolicyRefused, Role
from tenantry.usage.credits import grant, queries, reserve, spend
from tenantry.usage.credits.models import CreditAccounts, CreditEntries, CreditGrants, CreditReservations
from usage.people import person

PEOPLE, EACH, BATCH = 200, 10, 200
PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0)], credits=Credits("tokens"))
TABLES = (CreditAccounts, CreditGrants, CreditEntries, CreditReservations)
_counts = {
    table: statement(select(func.count()).select_from(table).where(table.holder_id == param("holder")))
    for table in TABLES
}
LOOKUPS = {
    "the account, to lock it": queries._lock,
    "how it stands": queries._stand,
    "what is left": queries._live,
    "the ledger": queries._page,
    "a reference": queries._by_reference,
    "a series": queries._of_series,
    "what is due to expire": queries._due,
    "reservations whose time is over": queries._expire,
    "reservations to be forgotten": queries.GONE_RESERVATIONS.statement,
}


def tables(now):
    people = [UUID(int=number + 1) for number in range(PEOPLE)]
    many = [(one, number, UUID(int=one.int * EACH + number)) for one in people for number in range(EACH)]
    return {
        Users: [{"id": one, "email": f"{one}@example.com"} for one in people],
        Holders: [{"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "free"} for one in people],
        CreditAccounts: [{"holder_id": one} for one in people],
        CreditGrants: [
            {"id": key, "holder_id": one, "fact": f"period:{number}", "series": f"s{number}", "reason": "period",
             "amount": 9, "remaining": 9 if number == 0 else 0, "detail": {},
             "expires_at": now + timedelta(days=(one.int if number == 0 else -number))}
            for one, number, key in many
        ],
        CreditEntries: [
            {"holder_id": one, "number": number + 1, "kind": "grant", "amount": 1, "balance_after": 1,
             "reference": f"r{number}", "parts": {}}
            for one, number, _ in many
        ],
        CreditReservations: [
            {"id": key, "holder_id": one, "amount": 1, "status": "released", "expires_at": now - timedelta(days=number)}
            for one, number, key in many
        ],
    }  # fmt: skip


async def fill(kit):
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


async def plan_of(kit, wanted):
    given = {"holder": UUID(int=7), "facts": ["period:3"], "reference": "r3", "before": 9, "limit": 5, "offset": 0,
             "series": "s3", "never": queries.NEVER}  # fmt: skip
    given |= {"before": kit.clock.now() - timedelta(days=9)} if "DELETE" in str(wanted.expression) else {}
    compiled = wanted.compiled(kit.database.kind, Role.SERVICE)
    arguments = compiled.arguments({name: given[name] for name in compiled.names})
    if kit.database.kind == "sqlite":
        found = kit.runtime.service.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)
        return "\n".join(row[3] for row in found)
    login = await asyncpg.connect(kit.database.service_url)
    try:
        # As on a solid disk, whose pages cost the same wherever they lie.
        await login.execute("SET random_page_cost = 1.1")
        return "\n".join(row[0] for row in await login.fetch(f"EXPLAIN {compiled.sql}", *arguments))
    finally:
        await login.close()


async def test_each_lookup_is_served_by_an_index(start, subtests):
    kit = await start(PRODUCT)
    await fill(kit)
    for name, wanted in LOOKUPS.items():
        with subtests.test(name):
            plan = await plan_of(kit, wanted)
            assert "Seq Scan" not in plan, plan
            scans = [line for line in plan.splitlines() if line.startswith("SCAN") and "json_each" not in line]
            assert scans == [], plan


async def test_rows_are_the_holders_alone_and_go_with_the_person(start, subtests):
    kit = await start(PRODUCT)
    ada, grace = await person(kit, "free"), await person(kit, "free")
    for one in (ada, grace):
        async with one.service() as working:
            await grant(working, one.holder.id, 10, fact="x")
        await spend(one, 1)
        await reserve(one, 1, expires_in=timedelta(hours=1))

    async def counts(reader, whose):
        async with reader as reading:
            return [await reading.db.one(one, holder=whose.holder.id) for one in _counts.values()]

    full = [1, 1, 2, 1]
    assert await counts(ada.unit(writes=False), ada) == full
    assert await counts(grace.unit(writes=False), ada) == [0, 0, 0, 0]
    for table in TABLES:
        for write in (update(table).values(holder_id=ada.holder.id), delete(table)):
            with subtests.test(f"{table.__tablename__} {write.__visit_name__}"):
                await is_refused(ada.unit(), write)
    # Not even the service login changes what stands in the ledger.
    await is_refused(kit.system.service(), delete(CreditEntries))
    await is_refused(kit.system.service(), update(CreditEntries).values(amount=5))
    async with kit.system.service() as working:
        await working.db.run(statement(delete(Users).where(Users.id == param("user"))), user=ada.user_id)
    assert await counts(kit.system.service(writes=False), ada) == [0, 0, 0, 0]
    assert await counts(kit.system.service(writes=False), grace) == full


async def is_refused(unit, write):
    try:
        async with unit as working:
            await working.db.run(statement(write))
    except PolicyRefused:
        return
    raise AssertionError("it was not refused")
