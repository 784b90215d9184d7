"""The call log: noting a call in memory, and writing calls in bulk, beside a bare COPY (executemany on SQLite).

Ours writes what the log writes: the calls, joined with their keys, and what they add to their hours, in one transaction
a batch, through the service login and under row level security. The bare one writes the same calls, ready made, into
the same table with its indexes and foreign key, in one go, as the owner, and no roll-ups; COPY is refused under row
level security. CPU is that of this process and of PostgreSQL's.
"""

import random
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import insert

from bench import world
from bench.measure import Row, sample_sync
from tenantry import Google, Keys, Meter, Plan, Product, Settings, create_app
from tenantry.holders import open_for_user
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Actor, system_context
from tenantry.kernel.database import statement
from tenantry.kernel.database.types import write_time
from tenantry.keys.calls import CallLog
from tenantry.keys.calls.keeping import make_room
from tenantry.keys.models import ApiCalls, ApiKeys
from tenantry.testing import TestDatabase, postgres_database, sqlite_database, sqlite_template

CALLS, ROUNDS, KEYS = 20_000, 4, 50
calls = Meter("calls")
PRODUCT = Product(
    "Bench", sign_in=[Google()], plans=[Plan("free", price=0, limits={calls: 1000})], keys=Keys("acme", meter=calls)
)
COLUMNS = [one.name for one in ApiCalls.__table__.columns]


async def run() -> list[Row]:
    """Calls a second on both databases, and what one costs whoever makes it."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        template.mkdir()
        found += await _measured("SQLite", sqlite_database(sqlite_template(template), Path(folder)))
    with world.postgres_server() as server:
        found += await _measured("PostgreSQL", postgres_database(server, "bench_calls"))
    return found


async def _measured(name: str, database: TestDatabase) -> list[Row]:
    async with AsyncExitStack() as stack:
        settings = Settings(
            database_url=database.api_url,
            service_url=database.service_url,
            secret_keys=("k" * 40,),
        )
        app = create_app(PRODUCT, settings, worker=False, log_requests=False)
        await stack.enter_async_context(app.router.lifespan_context(app))
        system = system_context(app.state.runtime)
        await make_room(system, {})
        keys, holder = await _keys(system)
        contexts = [Context(system.runtime, Actor("key", key_id=key), system.origin) for key in keys]
        best = {"ours": float("inf"), "bare": float("inf")}
        for _ in range(ROUNDS):
            rows = _rows(keys, holder)
            ways = {"ours": _ours(system.port(CallLog), contexts), "bare": _bare(database, rows)}
            for way, work in ways.items():
                began = time.perf_counter()
                await work
                best[way] = min(best[way], time.perf_counter() - began)
        bare = "COPY" if database.owner_url else "executemany"
        rate = {way: CALLS / seconds for way, seconds in best.items()}
        noting = await _noting(contexts[0])
    return [
        Row(f"{name}, calls written", rate["ours"], "calls/s", bare, rate["bare"], ">= 0.5"),
        Row(f"{name}, noting one call, CPU", noting, "us"),
    ]


async def _keys(system: Context) -> tuple[list[UUID], UUID]:
    user, keys = new_id(), [new_id() for _ in range(KEYS)]
    async with system.service() as ctx:
        await ctx.db.run(statement(insert(Users).values(id=user, email="ada@example.com")))
        holder = await open_for_user(ctx, user)
        rows = [
            {"id": key, "holder_id": holder, "label": "x", "hash": key.bytes * 2, "prefix": "p", "ending": "1234",
             "scopes": []}
            for key in keys
        ]  # fmt: skip
        await ctx.db.run(statement(insert(ApiKeys).values(rows)))
    return keys, holder


async def _ours(log: CallLog, contexts: list[Context]) -> None:
    chance, written = random.Random(1), log.written
    for number in range(CALLS):
        _note(log, contexts[number % KEYS], chance.random() / 10)
    await log.flush()
    assert log.written == written + CALLS


def _note(log: CallLog, ctx: Context, seconds: float) -> None:
    log.add(ctx, method="GET", endpoint="/v1/prices/{symbol}", status=200, seconds=seconds)


def _rows(keys: list[UUID], holder: UUID) -> list[Any]:
    chance, at = random.Random(1), datetime.now(UTC)
    return [
        (at, new_id(), holder, keys[number % KEYS], "GET", "/v1/prices/{symbol}", 200, int(chance.random() * 100), "-",
         None, None)
        for number in range(CALLS)
    ]  # fmt: skip


async def _bare(database: TestDatabase, rows: list[Any]) -> None:
    if database.owner_url:
        owner = await asyncpg.connect(database.owner_url)
        await owner.copy_records_to_table("api_calls", records=rows, columns=COLUMNS)
        await owner.close()
        return
    with closing(sqlite3.connect(Path(database.api_url.removeprefix("sqlite:///")))) as file, file:
        file.execute("PRAGMA foreign_keys = ON")
        places = ", ".join("?" * len(COLUMNS))
        file.executemany(
            f"INSERT INTO api_calls ({', '.join(COLUMNS)}) VALUES ({places})",
            [(write_time(row[0]), *map(str, row[1:4]), *row[4:]) for row in rows],
        )


async def _noting(ctx: Context) -> float:
    """What `add` costs while calls wait; they are written afterwards."""
    log = CallLog()
    cpu_us = sample_sync(lambda: [_note(log, ctx, 0.01) for _ in range(100)], times=40).cpu_us / 100
    await log.aclose()
    return cpu_us
