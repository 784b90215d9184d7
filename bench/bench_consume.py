"""Counting a call: from a lease, strictly, and for ten thousand holders, beside one bare upsert a call, committed.

The bare upsert counts and compares with a limit it is handed. Ours also reads today's limit from the holder's plan and
finds the window. "hot" is one holder, so that every call meets in one row; "cold" goes round the holders, each touched
a few times, so that no lease is worth taking. Strict calls that come together share a statement.
"""

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import insert

from bench import world
from bench.measure import Row, Sample
from bench.rounds import Operation, compare
from tenantry import Google, Meter, Plan, Product, Settings, create_app
from tenantry.holders import open_for_user
from tenantry.identity.models import Users
from tenantry.kernel import Context
from tenantry.kernel.context import system_context
from tenantry.kernel.database import param, statement
from tenantry.testing import TestDatabase, postgres_database, sqlite_database, sqlite_template
from tenantry.usage import Leases, decide

HOLDERS = 10_000
MANY = 1_000_000_000
leased, strict = Meter("leased"), Meter("strict", strict=True)
PRODUCT = Product("Bench", sign_in=[Google()], plans=[Plan("free", price=0, limits={leased: MANY, strict: MANY})])
UPSERT = """\
INSERT INTO usage_counters (holder_id, meter, window_start, window_end, quota, used, holder_revision)
VALUES ({0}, 'bare', {1}, {2}, {3}, 1, 1)
ON CONFLICT (holder_id, meter, window_start) DO UPDATE SET used = usage_counters.used + 1
WHERE usage_counters.used + 1 <= usage_counters.quota RETURNING used"""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))


async def run() -> list[Row]:
    """Decisions a second and CPU, one caller and 64, on both databases."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        template.mkdir()
        found += await _measured("SQLite", sqlite_database(sqlite_template(template), Path(folder)))
    with world.postgres_server() as server:
        found += await _measured("PostgreSQL", postgres_database(server, "bench_consume"))
    return found


async def _measured(name: str, database: TestDatabase) -> list[Row]:
    found = []
    async with _system(database) as ctx, _bare(ctx, database) as bare:
        holders = await _holders(ctx)
        for callers in (1, 64):
            times = 64 * (5 if callers == 1 else 20)
            once: dict[str, Operation] = {"strict": _decided(ctx, itertools.repeat(holders[0]), strict)}
            once |= {"bare": bare(itertools.repeat(holders[1]))}
            hot = await compare(once, times=times, rounds=6, clients=callers)
            ways: dict[str, Operation] = {"leased": _decided(ctx, itertools.repeat(holders[2]), leased)}
            hot |= await compare(ways, times=64 * 2000, rounds=6, clients=callers)
            around = itertools.cycle(holders)
            # Nobody's second call comes within the time of a lease.
            once = {"strict": _decided(ctx, around, strict), "bare": bare(around)}
            cold = await compare(once, times=times, rounds=6, clients=callers)
            found += _rows(f"{name}, {callers} caller{'s' if callers > 1 else ''}", hot, cold)
        await ctx.port(Leases).settle()
    return found


def _rows(name: str, hot: dict[str, Sample], cold: dict[str, Sample]) -> list[Row]:
    bare, round_about = hot["bare"], cold["bare"]
    return [
        Row(f"{name}, hot, leased", hot["leased"].per_second, "per second", "bare", bare.per_second, ">= 100 at 64"),
        Row(f"{name}, hot, leased", hot["leased"].cpu_us, "CPU µs", "bare", bare.cpu_us),
        Row(f"{name}, hot, strict", hot["strict"].per_second, "per second", "bare", bare.per_second),
        Row(f"{name}, hot, strict", hot["strict"].cpu_us, "CPU µs", "bare", bare.cpu_us),
        Row(f"{name}, cold", cold["strict"].per_second, "per second", "bare", round_about.per_second, ">= 3 at 64"),
        Row(f"{name}, cold", cold["strict"].cpu_us, "CPU µs", "bare", round_about.cpu_us),
    ]


@asynccontextmanager
async def _system(database: TestDatabase) -> AsyncIterator[Context]:
    urls: dict[str, Any] = {"database_url": database.api_url, "service_url": database.service_url}
    settings = Settings(**urls, secret_keys=("k" * 40,))
    app = create_app(PRODUCT, settings, worker=False, log_requests=False)
    async with app.router.lifespan_context(app):
        yield system_context(app.state.runtime)


async def _holders(ctx: Context) -> list[UUID]:
    found = []
    for batch in range(0, HOLDERS, 500):
        async with ctx.service() as working:
            for n in range(batch, batch + 500):
                await working.db.run(_add_user, id=world.person(n), email=f"{n}@example.com")
                found.append(await open_for_user(working, world.person(n)))
    return found


def _decided(ctx: Context, holders: Iterator[UUID], meter: Meter) -> Operation:
    async def one() -> None:
        assert (await decide(ctx, next(holders), meter)).allowed

    return one


@asynccontextmanager
async def _bare(ctx: Context, database: TestDatabase) -> AsyncIterator[Any]:
    if database.service_url is None:
        yield _bare_sqlite(ctx)
        return
    sql = UPSERT.format("$1", "$2", "$3", "$4")
    async with asyncpg.create_pool(database.service_url, min_size=10, max_size=10) as pool:

        def counting(holders: Iterator[UUID]) -> Operation:
            async def one() -> None:
                async with pool.acquire() as connection:
                    assert await connection.fetch(sql, next(holders), BEGIN, BEGIN + timedelta(days=365), MANY)

            return one

        yield counting


def _bare_sqlite(ctx: Context) -> Any:
    # With the same pragmas, in the loop and without a lock: a bare program with one connection cannot do it faster.
    service: Any = ctx.runtime.service
    connection, sql = service.connect(), UPSERT.format("?", "?", "?", "?")

    def counting(holders: Iterator[UUID]) -> Operation:
        async def one() -> None:
            given = (str(next(holders)), "2026-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z", MANY)
            connection.execute("BEGIN IMMEDIATE")
            assert connection.execute(sql, given).fetchall()
            connection.execute("COMMIT")

        return one

    return counting
