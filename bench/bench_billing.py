"""Events of a payment provider taken in over HTTP, beside bare driver inserts of the same row in the same run.

"idle": nobody works on them meanwhile. "draining": the worker does, in the same process, and what it would read is at
hand; every event that was answered is looked for afterwards, and one that is missing fails the run. The bare insert is
what the ingress runs, committed, by as many callers as there are connections. CPU is the server's own process.

Recomputing a holder is counted in statements, and its CPU beside a bare read of one row.
"""

import asyncio
import itertools
import json
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import insert

import bench
from bench import world
from bench.bench_door import wait_for
from bench.billing_program import OBJECTS, START, application, events
from bench.measure import Row, Sample
from bench.rounds import Operation, compare, ratios
from tenantry.billing.holding import recompute
from tenantry.billing.models import Subscriptions
from tenantry.billing.queries import owners
from tenantry.holders import open_for_user
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.context import system_context
from tenantry.kernel.database import param, statement
from tenantry.testing import TestDatabase, postgres_database, sqlite_database, sqlite_template

ROOT = Path(bench.__file__).resolve().parents[1]
CLIENTS, TIMES, ROUNDS = 10, 300, 3
DRAINED = 500
INSERT = """\
INSERT INTO billing_events
(id, provider, dedupe_key, event, object_kind, object_id, occurred_at, headers, body, status, received_at, due_at)
VALUES ({0}, 'fake', {1}, 'customer.subscription.updated', 'subscription', 'sub_1', {2}, {3}, {4}, 'done', {2}, {2})
ON CONFLICT (provider, dedupe_key) DO NOTHING"""
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_add_subscription = statement(
    insert(Subscriptions).values(
        {name: param(name) for name in ("id", "holder_id", "external_id", "slot")}
        | {"provider": "stripe", "status": "canceled", "raw_status": "canceled"}
    )
)


async def run() -> list[Row]:
    """Events a second and CPU on both databases; what became of them; statements and CPU of a recomputation."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "template").mkdir()
        found += await _measured("SQLite", sqlite_database(sqlite_template(Path(folder) / "template"), Path(folder)))
    with world.postgres_server() as server:
        found += await _measured("PostgreSQL", postgres_database(server, "bench_billing"))
    return found


async def _measured(name: str, database: TestDatabase) -> list[Row]:
    numbers = itertools.count()
    async with _bare(database) as bare:
        with _server(database, "idle") as (process, port):
            ways = {"bare": bare, "ours": await _posting(port, numbers)}
            found = await compare(ways, times=TIMES, rounds=ROUNDS, clients=CLIENTS, others={"ours": [process]})
    title = f"{name}: an event taken in, the worker idle"
    rows = ratios(found, "ours", {"bare": "≥ 0.40"}, figure="per_second", title=title)
    rows.append(_cpu(f"{name}: the same, the server's CPU", found["ours"], found["bare"]))
    rows += await _draining(name, database, numbers)
    return rows + await _recomputing(name, database)


def _cpu(title: str, ours: Sample, bare: Sample) -> Row:
    return Row(title, ours.other_cpu_us, "CPU µs", "bare, this process", bare.cpu_us)


async def _draining(name: str, database: TestDatabase, numbers: Iterator[int]) -> list[Row]:
    """Every event of the rounds before is open too; `DRAINED` more arrive while they are worked on."""
    before = await _open(database)
    with _server(database, "draining") as (_, port):
        one, began = await _posting(port, numbers), time.perf_counter()

        async def many() -> None:
            for _ in range(DRAINED // CLIENTS):
                await one()

        await asyncio.gather(*(many() for _ in range(CLIENTS)))
        taken = time.perf_counter() - began
        while await _open(database):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)
        drained = time.perf_counter() - began
    lost = next(numbers) - await _stored(database)
    if lost:
        msg = f"{lost} events were answered and are not there"
        raise RuntimeError(msg)
    return [
        Row(f"{name}: events taken in, the worker draining", DRAINED / taken, "per second"),
        Row(f"{name}: events worked on, of {OBJECTS} subscriptions", (before + DRAINED) / drained, "per second"),
        Row(f"{name}: events lost", float(lost), "events"),
    ]


async def _recomputing(name: str, database: TestDatabase) -> list[Row]:
    app = application(database.api_url, database.service_url, worker=False)
    async with app.router.lifespan_context(app):
        system = system_context(app.state.runtime)
        holder = await _held(system)
        async with system.service() as ctx:
            await owners.lock_by_id(ctx.db, holder)
            before = ctx.db.statements
            await recompute(ctx, holder)
            statements = ctx.db.statements - before

            async def ours() -> None:
                await recompute(ctx, holder)

            async def read() -> None:
                await owners.lock_by_id(ctx.db, holder)

            found = await compare({"one row": read, "ours": ours}, times=200, rounds=3)
    return [
        Row(f"{name}: a holder of three subscriptions recomputed, nothing new", float(statements), "statements"),
        *ratios(found, "ours", {"one row": ""}, title=f"{name}: the same"),
    ]


async def _held(system: Context) -> UUID:
    async with system.service() as ctx:
        user = new_id()
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        holder = await open_for_user(ctx, user)
        for number in range(3):
            row_id = new_id()
            given: dict[str, Any] = {"external_id": f"held_{number}", "slot": str(row_id)}
            await ctx.db.run(_add_subscription, id=row_id, holder_id=holder, **given)
    return holder


@contextmanager
def _server(database: TestDatabase, worker: str) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asked = [str(port), worker, database.api_url, database.service_url or ""]
    process = subprocess.Popen([sys.executable, "-m", "bench.billing_program", *asked], cwd=ROOT)
    try:
        wait_for(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


async def _posting(port: int, numbers: Iterator[int]) -> Operation:
    """Posts the next event on a connection that stays open; the answer is 204."""
    made = events(numbers)
    free = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CLIENTS)]

    async def one() -> None:
        body, signature = next(made)
        reader, writer = free.pop()
        head = f"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nStripe-Signature: {signature}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 204"), answer
        free.append((reader, writer))

    return one


@asynccontextmanager
async def _bare(database: TestDatabase) -> AsyncIterator[Operation]:
    made = events(itertools.count())
    if database.service_url is None:
        connection = _sqlite(database)
        sql, at = INSERT.format("?1", "?2", "?3", "?4", "?5"), f"{START:%Y-%m-%dT%H:%M:%S.%fZ}"

        async def once() -> None:
            body, signature = next(made)
            known = str(uuid4())
            connection.execute(sql, (known, known, at, json.dumps({"stripe-signature": signature}), body))

        yield once
        connection.close()
        return
    sql = INSERT.format("$1", "$2", "$3", "$4", "$5")
    async with asyncpg.create_pool(database.service_url, min_size=CLIENTS, max_size=CLIENTS) as pool:

        async def one() -> None:
            body, signature = next(made)
            known = uuid4()
            headers = json.dumps({"stripe-signature": signature})
            async with pool.acquire() as held:
                await held.execute(sql, known, str(known), START, headers, body)

        yield one


def _sqlite(database: TestDatabase) -> sqlite3.Connection:
    connection = sqlite3.connect(database.api_url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


async def _open(database: TestDatabase) -> int:
    return await _count(database, "status IN ('received', 'waiting')")


async def _stored(database: TestDatabase) -> int:
    return await _count(database, "provider = 'stripe' AND status = 'done'")


async def _count(database: TestDatabase, which: str) -> int:
    sql = f"SELECT count(*) FROM billing_events WHERE {which}"
    if database.owner_url is None:
        connection = _sqlite(database)
        found = int(connection.execute(sql).fetchone()[0])
        connection.close()
        return found
    owner = await asyncpg.connect(database.owner_url)
    try:
        return int(await owner.fetchval(sql))
    finally:
        await owner.close()
