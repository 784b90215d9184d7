"""One durable consume: a unit of this single statement, beside a bare upsert that is committed too.

The bare upsert counts and compares with a limit it is handed. Ours also reads today's limit from the holder's plan and
finds the window, and it takes its turn among writers. One holder: every call meets in one row. On PostgreSQL both are
one trip.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench import world
from bench.measure import Row, Sample
from bench.rounds import Operation, compare
from tenantry.holders import queries as holders
from tenantry.kernel.database import Unit
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.units import SERVICE
from tenantry.usage import queries as usage

UNLIMITED = 1_000_000_000
PLAN = {"name": "free", "display_name": "Free", "price_minor": 0, "currency": "USD", "features": ["Everything"]}
HOLDER, OTHER = world.note_of(1), world.note_of(2)
UPSERT = """\
INSERT INTO usage_counters (holder_id, meter, window_start, window_end, quota, used, holder_revision)
VALUES ({0}, 'bare', {1}, {2}, {3}, 1, 1)
ON CONFLICT (holder_id, meter, window_start) DO UPDATE SET used = usage_counters.used + 1
WHERE usage_counters.used + 1 <= usage_counters.quota RETURNING used"""


async def run() -> list[Row]:
    """Units a second and CPU, one caller and 64, on both databases."""
    found = []
    async with world.sqlite(10) as file:
        await _prepare(file)
        for callers in (1, 64):
            ways = {"unit": _consume(file), "bare": _bare_sqlite(file)}
            found += _rows("SQLite", callers, await compare(ways, times=320, rounds=12, clients=callers))
    with world.postgres_server() as server:
        async with world.postgres(server, 10) as database:
            await _prepare(database.service)
            async with _bare_postgres(database) as bare:
                for callers in (1, 64):
                    ways = {"unit": _consume(database.service), "bare": bare}
                    found += _rows("PostgreSQL", callers, await compare(ways, times=320, rounds=10, clients=callers))
    return found


def _rows(database: str, callers: int, found: dict[str, Sample]) -> list[Row]:
    name = f"{database}, {callers} caller{'s' if callers > 1 else ''}"
    unit, bare = found["unit"], found["bare"]
    return [
        Row(name, unit.per_second, "units/s", "bare upsert", bare.per_second),
        Row(name, unit.cpu_us, "CPU µs", "bare upsert", bare.cpu_us),
        Row(name, unit.p99_us, "p99 µs", "bare upsert", bare.p99_us),
    ]


async def _prepare(database: SqliteDatabase | PostgresDatabase) -> None:
    unit: Unit = database.unit(SERVICE, writes=True)
    await holders.mirror(unit, {**PLAN, "limits": {"requests": UNLIMITED}, "is_active": True, "position": 0})
    for n, holder in enumerate((HOLDER, OTHER)):
        await holders.create(unit, holder, kind="user", user_id=world.person(n), plan="free")
    await unit.commit()


def _consume(database: SqliteDatabase | PostgresDatabase) -> Operation:
    async def one() -> None:
        unit: Unit = database.unit(SERVICE, writes=True, single=True)
        assert await usage.consume(unit, HOLDER, "requests", per="day", cost=1) is not None
        await unit.commit()

    return one


def _bare_sqlite(file: SqliteDatabase) -> Operation:
    connection: Any = file.connect()
    sql = UPSERT.format("?", "?", "?", "?")
    given = (str(OTHER), "2026-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z", UNLIMITED)

    async def one() -> None:
        # In the loop without a lock: a bare program with one connection cannot do it faster.
        connection.execute("BEGIN IMMEDIATE")
        assert connection.execute(sql, given).fetchall()
        connection.execute("COMMIT")

    return one


@asynccontextmanager
async def _bare_postgres(database: world.Server) -> AsyncIterator[Operation]:
    sql = UPSERT.format("$1", "$2", "$3", "$4")
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    given = (OTHER, begin, begin + timedelta(days=365), UNLIMITED)
    async with asyncpg.create_pool(database.service.url, min_size=10, max_size=10) as pool:

        async def one() -> None:
            async with pool.acquire() as connection:
                assert await connection.fetch(sql, *given)

        yield one
