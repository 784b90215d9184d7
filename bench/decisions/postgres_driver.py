"""Decision 0001: what one own-rows read costs, by driver, way of binding and distance.

`BENCH_POSTGRES=host=...,port=... python -m bench.decisions.postgres_driver`; psycopg 3 where it is installed.
"""

import asyncio
import importlib
import importlib.util
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from bench.decisions import postgres_world as world
from bench.measure import Sample, sample

psycopg: Any = importlib.import_module("psycopg") if importlib.util.find_spec("psycopg") else None

LIST = "select id, title, kind, created_at from notes where user_id = {user} order by created_at desc limit {limit}"
BOUND = (
    "with b as materialized (select set_config('request.jwt.claims', {claims}, true) c) "
    "select q.* from b cross join lateral (select * from (" + LIST + ") s where b.c is not null offset 0) q"
)
SET = "select set_config('request.jwt.claims', {claims}, true)"
LIMIT = 20
Read = Callable[[], Awaitable[object]]


def statements(style: str) -> tuple[str, str, str]:
    """(list, bound list, bind) with this driver's parameter marks."""
    if style == "asyncpg":
        return (
            LIST.format(user="$1", limit=LIMIT),
            BOUND.format(claims="$1", user="$2", limit=LIMIT),
            SET.format(claims="$1"),
        )
    return (
        LIST.format(user="%s", limit=LIMIT),
        BOUND.format(claims="%s", user="%s", limit=LIMIT),
        SET.format(claims="%s"),
    )


def asyncpg_reads(bare: asyncpg.Connection, api: asyncpg.Connection) -> dict[str, Read]:
    plain, bound, bind = statements("asyncpg")

    async def read_plain() -> None:
        assert len(await bare.fetch(plain, pick())) == LIMIT

    async def read_bound() -> None:
        who = pick()
        assert len(await api.fetch(bound, world.claims(who), who)) == LIMIT

    async def read_trips() -> None:
        who = pick()
        await api.execute("begin")
        await api.fetchval(bind, world.claims(who))
        rows = await api.fetch(plain, who)
        await api.execute("commit")
        assert len(rows) == LIMIT

    return {
        "asyncpg, no RLS": read_plain,
        "asyncpg, bound in the statement": read_bound,
        "asyncpg, begin + bind + query + commit": read_trips,
    }


async def asyncpg_unnamed(bare: asyncpg.Connection, api: asyncpg.Connection) -> dict[str, Read]:
    """Statements kept under the empty name: parsed, bound and run in one trip, whatever server connection serves it."""
    plain, bound, _ = statements("asyncpg")
    async with bare.transaction():
        plain_statement = await bare.prepare(plain, name="")
    async with api.transaction():
        bound_statement = await api.prepare(bound, name="")

    async def read_plain() -> None:
        assert len(await plain_statement.fetch(pick())) == LIMIT

    async def read_bound() -> None:
        who = pick()
        assert len(await bound_statement.fetch(world.claims(who), who)) == LIMIT

    return {"asyncpg, no RLS, unnamed kept": read_plain, "asyncpg, bound, unnamed kept": read_bound}


def psycopg_reads(bare: Any, api: Any) -> dict[str, Read]:
    plain, bound, bind = statements("psycopg")

    async def rows_of(connection: Any, sql: str, *args: object) -> list[Any]:
        return await (await connection.execute(sql, args)).fetchall()  # type: ignore[no-any-return]

    async def read_plain() -> None:
        assert len(await rows_of(bare, plain, pick())) == LIMIT

    async def read_bound() -> None:
        who = pick()
        assert len(await rows_of(api, bound, world.claims(who), who)) == LIMIT

    async def read_trips() -> None:
        who = pick()
        async with api.transaction():
            await api.execute(bind, (world.claims(who),))
            rows = await rows_of(api, plain, who)
        assert len(rows) == LIMIT

    async def read_pipeline() -> None:
        who = pick()
        async with api.pipeline():  # autocommit: one implicit transaction up to the pipeline's end
            await api.execute(bind, (world.claims(who),))
            cursor = await api.execute(plain, (who,))
        assert len(await cursor.fetchall()) == LIMIT

    return {
        "psycopg 3, no RLS": read_plain,
        "psycopg 3, bound in the statement": read_bound,
        "psycopg 3, begin + bind + query + commit": read_trips,
        "psycopg 3, pipeline bind + query": read_pipeline,
    }


def pick() -> Any:
    return world.user(random.randint(1, world.USERS))


async def reads_at(host: str, port: int, *, cache: bool) -> tuple[dict[str, Read], dict[str, int]]:
    """Every read over this way, and the server process that serves it."""
    reads: dict[str, Read] = {}
    pids: dict[str, int] = {}
    to = {"host": host, "port": port, "database": world.DATABASE}
    size = {} if cache else {"statement_cache_size": 0}
    bare, api = [await asyncpg.connect(user=who, **to, **size) for who in ("bare", "api")]
    ours = asyncpg_reads(bare, api)
    if not cache:
        ours |= await asyncpg_unnamed(bare, api)
    reads |= ours
    pids |= {name: (bare if "no RLS" in name else api).get_server_pid() for name in ours}
    if psycopg:
        dsn = f"host={host} port={port} dbname={world.DATABASE} user="
        threshold = 5 if cache else None
        near = [
            await psycopg.AsyncConnection.connect(dsn + who, autocommit=True, prepare_threshold=threshold)
            for who in ("bare", "api")
        ]
        theirs = psycopg_reads(*near)
        reads |= theirs
        pids |= {name: near[0 if "no RLS" in name else 1].info.backend_pid for name in theirs}
    return reads, pids


async def measure(title: str, host: str, port: int, *, times: int, cache: bool = True, backends: bool = True) -> Table:
    table = Table(
        "way", "p50 µs", "p99 µs", "client CPU", "server CPU", "p50 / no RLS", title=title, title_justify="left"
    )
    reads, pids = await reads_at(host, port, cache=cache)
    found: dict[str, Sample] = {name: await sample(read, times=200, rounds=1) for name, read in reads.items()}
    for _ in range(4):  # interleaved, so that a busy moment of the machine does not fall on one way alone
        for name, read in reads.items():
            now = await sample(read, times=times, rounds=1, others=[pids[name]] if backends else [])
            found[name] = better(found[name], now)
    for name, value in found.items():
        bare = found.get(name.split(",")[0] + ", no RLS")
        ratio = f"{value.p50_us / bare.p50_us:.2f}" if bare else ""
        table.add_row(name, *(f"{v:,.0f}" for v in columns(value)), ratio)
    return table


def better(old: Sample, new: Sample) -> Sample:
    best = new if new.p50_us < old.p50_us else old
    server = min((v for v in (old.other_cpu_us, new.other_cpu_us) if v), default=0.0)
    return Sample(best.p50_us, best.p99_us, best.max_us, min(old.cpu_us, new.cpu_us), server, best.per_second)


def columns(value: Sample) -> Iterable[float]:
    return value.p50_us, value.p99_us, value.cpu_us, value.other_cpu_us


async def main() -> None:
    console, (host, port) = Console(width=130), world.place()
    await world.build()
    console.print(await measure("unix socket" if host.startswith("/") else "as given", host, port, times=1_500))
    console.print(await measure("loopback", "127.0.0.1", port, times=1_500))
    async with world.slow_proxy(host, port, 0.001) as slow:
        console.print(await measure("1 ms each way", "127.0.0.1", slow, times=150, backends=False))
    with world.pgbouncer("127.0.0.1", port, pool=2) as bouncer:
        if bouncer:
            await asyncio.sleep(0.5)
            title = "PgBouncer, transaction mode, no statement cache"
            console.print(await measure(title, "127.0.0.1", bouncer, times=800, cache=False, backends=False))


if __name__ == "__main__":
    uvloop.run(main())
