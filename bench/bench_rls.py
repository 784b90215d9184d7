"""What row level security costs: a person's newest notes among 100 000, bound and read in one trip.

The bare limit is the same query by a login that row level security does not apply to. First on the driver alone, one
connection held, so that nothing but the two statements differs; then a whole unit of ours beside the driver's pool.
"""

from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from bench import world
from bench.measure import Row
from bench.rounds import Operation, compare
from tenantry.kernel.policies import Role

PEOPLE, WHO = 5_000, 7
WITHOUT = (
    "SELECT id, title, body, details, created_at FROM bench_notes WHERE user_id = $1 ORDER BY created_at DESC LIMIT $2"
)


async def run() -> list[Row]:
    """p50 of one caller, and the CPU of client and server together."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(world.postgres_server())
        database = await stack.enter_async_context(world.postgres(server, PEOPLE))
        pool = await stack.enter_async_context(asyncpg.create_pool(database.bare_url, min_size=1))
        without = await stack.enter_async_context(pool.acquire())
        bound = await stack.enter_async_context(database.api_connection())
        ways = _ways(database, bound=bound, without=without, pool=pool)
        found = await compare(ways, times=500, others=dict.fromkeys(ways, database.processes))
    bare, under, unit, pooled = (found[name] for name in ("bare", "bound", "unit", "pool"))
    limit, pool_limit = "same query, no RLS", "same query, no RLS, its pool"
    both = [one.cpu_us + one.other_cpu_us for one in (under, bare)]
    return [
        Row("one trip under RLS, driver only", under.p50_us, "p50 µs", limit, bare.p50_us, "≤ 1.35"),
        Row("one trip under RLS, driver only", both[0], "CPU µs, client + server", limit, both[1], ""),
        Row("through a reading unit", unit.p50_us, "p50 µs", limit, bare.p50_us, ""),
        Row("through a reading unit", unit.p50_us, "p50 µs", pool_limit, pooled.p50_us, "≤ 1.35"),
    ]


def _ways(database: world.Server, *, bound: Any, without: Any, pool: Any) -> dict[str, Operation]:
    who, identity = world.person(WHO), world.as_person(WHO)
    compiled = world.NEWEST.compiled("postgresql", Role.AUTHENTICATED)
    arguments = [*compiled.arguments({"_user_id": who, "_organization_ids": ()}), identity.claims()]

    async def under() -> Any:
        return await bound.fetch(compiled.bound_sql, *arguments)

    async def bare() -> Any:
        return await without.fetch(WITHOUT, who, world.NOTES_EACH)

    async def unit() -> Any:
        working = database.api.unit(identity, writes=False)
        rows = await working.rows(world.NEWEST)
        await working.rollback()
        return rows

    async def pooled() -> Any:
        async with pool.acquire() as connection:
            return await connection.fetch(WITHOUT, who, world.NOTES_EACH)

    return {"bare": bare, "bound": under, "unit": unit, "pool": pooled}
