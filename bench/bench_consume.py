"""Counting a call: from a lease, strictly, and for ten thousand holders, beside one bare upsert a call, committed.

The bare upsert counts and compares with a limit it is handed. Ours also reads today's limit from the holder's plan and
finds the window. "hot" is one holder, so that every call meets in one row. "first" is each holder's first call of a
window, which makes the row; "cold" goes round the holders again, so seldom that no lease is worth taking. Strict calls
that come together share a statement. CPU is that of this process and of PostgreSQL's.

"contested" is two processes' leases and 64 callers who want more of one holder's quota than there is. Whatever was
admitted in all of it is counted here and compared with the rows: one call too many, and the run fails.
"""

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import insert, select

from bench import world
from bench.measure import Row, Sample
from bench.rounds import Operation, compare
from tenantry import Google, Meter, Plan, Product, Settings, create_app
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel import Context
from tenantry.kernel.context import system_context
from tenantry.kernel.database import statement
from tenantry.testing import PostgresServer, TestDatabase, postgres_database, sqlite_database, sqlite_template
from tenantry.usage import Leases, decide
from tenantry.usage.models import UsageCounters

HOLDERS = 10_000
MANY, FEW = 1_000_000_000, 20_000
ROUNDS = 4
leased, strict, contested = Meter("leased"), Meter("strict", strict=True), Meter("contested")
rare = {callers: Meter(f"rare_{callers}") for callers in (1, 64)}
"""A meter for each number of callers, so that each finds holders who did not call yet."""
METERS = (leased, strict, *rare.values())
LIMITS = {contested: FEW, **dict.fromkeys(METERS, MANY)}
PRODUCT = Product("Bench", sign_in=[Google()], plans=[Plan("free", price=0, limits=LIMITS)])
UPSERT = """\
INSERT INTO usage_counters (holder_id, meter, window_start, window_end, quota, used, holder_revision)
VALUES ({0}, 'bare', {1}, {2}, {3}, 1, 1)
ON CONFLICT (holder_id, meter, window_start) DO UPDATE SET used = usage_counters.used + 1
WHERE usage_counters.used + 1 <= usage_counters.quota RETURNING used"""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_counted = statement(
    select(UsageCounters.holder_id, UsageCounters.meter, UsageCounters.used, UsageCounters.leased).where(
        UsageCounters.meter != "bare"
    ),
    lambda holder, meter, used, leased: ((holder, meter), used, leased),
)
Admitted = Counter[tuple[UUID, str]]


async def run() -> list[Row]:
    """Decisions a second and CPU, one caller and 64, on both databases."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        template.mkdir()
        found += await _measured("SQLite", sqlite_database(sqlite_template(template), Path(folder)), list)
    with world.postgres_server() as server:
        found += await _measured("PostgreSQL", postgres_database(server, "bench_consume"), lambda: _processes(server))
    return found


def _processes(server: PostgresServer) -> list[int]:
    """The server's processes that stay: vacuum's come and go."""
    pid = (server.data_dir / "postmaster.pid").read_text().split()[0]
    found = [pid, *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [int(one) for one in found if b"autovacuum worker" not in Path(f"/proc/{one}/cmdline").read_bytes()]


async def _measured(name: str, database: TestDatabase, server: Callable[[], list[int]]) -> list[Row]:
    found: list[Row] = []
    async with _system(database) as ctx, _system(database) as other, _bare(ctx, database) as bare:
        bench = Bench(ctx, bare, await _holders(ctx), server)
        await bench.warm()
        for callers in (1, 64):
            called = f"{name}, {callers} caller{'s' if callers > 1 else ''}"
            found += _rows(called, await _hot(bench, callers))
            found += _rows(called, await _spread(bench, callers))
        found.append(Row(f"{name}, contested, admitted", await _contested([ctx, other], bench), "calls"))
        for each in (ctx, other):
            await each.port(Leases).settle()
        found.append(Row(f"{name}, over-admissions", await _over_admitted(bench), "calls"))
    return found


@dataclass(frozen=True)
class Bench:
    """One database: the calls of ours on it, the bare ones, and what was admitted."""

    ctx: Context
    bare: Any
    holders: list[UUID]
    server: Callable[[], list[int]]
    admitted: Admitted = field(default_factory=Counter)

    def ours(self, holders: Iterator[UUID], meter: Meter) -> Operation:
        async def one() -> None:
            holder = next(holders)
            assert (await decide(self.ctx, holder, meter)).allowed
            self.admitted[holder, meter.name] += 1

        return one

    async def compared(self, ways: dict[str, Operation], *, times: int, clients: int) -> dict[str, Sample]:
        """The server's CPU counts with each way: it does nothing else."""
        processes = self.server()
        return await compare(ways, times=times, rounds=ROUNDS, clients=clients, others=dict.fromkeys(ways, processes))

    async def warm(self) -> None:
        """Open as many connections as will be used."""
        some = self.holders[:640]
        ways = {"ours": self.ours(itertools.cycle(some), strict), "bare": self.bare(itertools.cycle(some), 99)}
        await compare(ways, times=640, rounds=1, clients=64)


async def _hot(bench: Bench, callers: int) -> dict[str, Sample]:
    """One holder each, and so one row."""
    times, holders = 64 * (4 if callers == 1 else 25), map(itertools.repeat, bench.holders)
    ways = {"hot, strict": bench.ours(next(holders), strict), "bare": bench.bare(next(holders), 0)}
    found = await bench.compared(ways, times=times, clients=callers)
    ways = {"hot, leased": bench.ours(next(holders), leased)}
    return found | await bench.compared(ways, times=64 * 2000, clients=callers)


async def _spread(bench: Bench, callers: int) -> dict[str, Sample]:
    """All holders in turn: the first time, and again."""
    # A fifth of it is done once before, to be warm.
    times = HOLDERS // (ROUNDS + 1) // 64 * 64 // (8 if callers == 1 else 1)
    found = {}
    for what in ("first", "cold"):
        around = itertools.cycle(bench.holders)
        ways = {what: bench.ours(around, rare[callers]), "bare": bench.bare(itertools.cycle(bench.holders), callers)}
        measured = await bench.compared(ways, times=times, clients=callers)
        found |= {what: measured[what], f"bare {what}": measured["bare"]}
    return found


def _rows(name: str, found: dict[str, Sample]) -> list[Row]:
    targets = {"hot, leased": ">= 100 at 64", "cold": ">= 3 at 64"}
    rows = []
    for what, one in found.items():
        if what.startswith("bare"):
            continue
        limit = found.get(f"bare {what}", found.get("bare"))
        assert limit is not None
        target = targets.get(what, "") if name.startswith("PostgreSQL") else ""
        rows.append(Row(f"{name}, {what}", one.per_second, "per second", "bare", limit.per_second, target))
        cpu = one.cpu_us + one.other_cpu_us
        rows.append(Row(f"{name}, {what}", cpu, "CPU µs", "bare", limit.cpu_us + limit.other_cpu_us))
    return rows


async def _contested(processes: list[Context], bench: Bench) -> int:
    """How many of `FEW` are admitted when two processes' callers go on until there is nothing left."""
    holder, admitted = bench.holders[3], bench.admitted

    async def call(ctx: Context) -> None:
        while True:
            decision = await decide(ctx, holder, contested)
            if decision.allowed:
                admitted[holder, contested.name] += 1
            elif not decision.soon:
                return
            else:
                await asyncio.sleep(0.01)

    await asyncio.gather(*(call(ctx) for ctx in processes for _ in range(32)))
    return admitted[holder, contested.name]


async def _over_admitted(bench: Bench) -> int:
    """Calls that were admitted beyond a limit, or that no row knows of. Any, and the run fails."""
    admitted = bench.admitted
    async with bench.ctx.service(writes=False) as reading:
        rows = {key: used + leased for key, used, leased in await reading.db.rows(_counted)}
    limits = {meter.name: limit for meter, limit in LIMITS.items()}
    over = sum(max(0, number - limits[key[1]], number - rows.get(key, 0)) for key, number in admitted.items())
    if over or rows != dict(admitted):
        msg = f"{over} calls over-admitted; {sum(admitted.values())} admitted, {sum(rows.values())} counted"
        raise RuntimeError(msg)
    return over


@asynccontextmanager
async def _system(database: TestDatabase) -> AsyncIterator[Context]:
    urls: dict[str, Any] = {"database_url": database.api_url, "service_url": database.service_url}
    settings = Settings(**urls, secret_keys=("k" * 40,))
    app = create_app(PRODUCT, settings, worker=False, log_requests=False)
    async with app.router.lifespan_context(app):
        yield system_context(app.state.runtime)


async def _holders(ctx: Context) -> list[UUID]:
    """People and their holders, many in a statement; a holder has its person's id here."""
    found = [world.person(n) for n in range(HOLDERS)]
    for first in range(0, HOLDERS, 250):
        batch = found[first : first + 250]
        people = [{"id": one, "email": f"{one}@example.com"} for one in batch]
        holders = [{"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "free"} for one in batch]
        async with ctx.service() as working:
            await working.db.run(statement(insert(Users).values(people)))
            await working.db.run(statement(insert(Holders).values(holders)))
    return found


@asynccontextmanager
async def _bare(ctx: Context, database: TestDatabase) -> AsyncIterator[Any]:
    if database.service_url is None:
        yield _bare_sqlite(ctx)
        return
    sql = UPSERT.format("$1", "$2", "$3", "$4")
    async with asyncpg.create_pool(database.service_url, min_size=10, max_size=10) as pool:

        def counting(holders: Iterator[UUID], day: int) -> Operation:
            window = BEGIN + timedelta(days=day), BEGIN + timedelta(days=365)

            async def one() -> None:
                async with pool.acquire() as connection:
                    assert await connection.fetch(sql, next(holders), *window, MANY)

            return one

        yield counting


def _bare_sqlite(ctx: Context) -> Any:
    # With the same pragmas, in the loop and without a lock: a bare program with one connection cannot do it faster.
    service: Any = ctx.runtime.service
    connection, sql = service.connect(), UPSERT.format("?", "?", "?", "?")

    def counting(holders: Iterator[UUID], day: int) -> Operation:
        start = f"{BEGIN + timedelta(days=day):%Y-%m-%dT%H:%M:%S.%fZ}"

        async def one() -> None:
            given = (str(next(holders)), start, "2027-01-01T00:00:00.000000Z", MANY)
            connection.execute("BEGIN IMMEDIATE")
            assert connection.execute(sql, given).fetchall()
            connection.execute("COMMIT")

        return one

    return counting
