"""What is read of calls is served by an index, with thousands of calls of many keys and fresh statistics."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert

from tenantry.holders.models import Holders
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor, identity_of
from tenantry.kernel.database import statement
from tenantry.kernel.policies import Role
from tenantry.keys.calls.keeping import make_room
from tenantry.keys.calls.queries import partitions, reading, writing
from tenantry.keys.models import ApiCallHours, ApiCalls, ApiKeys

KEYS, CALLS = 30, 6000
SERVED = {
    "a page": (reading._page, "api_calls", Role.AUTHENTICATED),
    "a page, whose": (reading._page, "api_keys", Role.AUTHENTICATED),
    "by hour": (reading._by_hour, "api_call_hours", Role.AUTHENTICATED),
    "by day": (reading._by_day, "api_call_hours", Role.AUTHENTICATED),
    "known already": (writing._known, "api_calls", Role.SERVICE),
    "whose calls": (writing._add, "api_keys", Role.SERVICE),
    "forget calls": (partitions.EXPIRED_CALLS.statement, "api_calls", Role.SERVICE),
    "forget hours": (partitions.EXPIRED_HOURS.statement, "api_call_hours", Role.SERVICE),
}


@pytest.fixture
async def full(kit, key):
    """Calls of many keys over some hours, which are all of one holder; answers the values that statements want."""
    now, ids = kit.clock.now(), [UUID(key["id"]), *(new_id() for _ in range(KEYS))]
    if kit.runtime.service.kind == "postgresql":
        await make_room(kit.system, {})
    async with kit.system.service() as ctx:
        (holder,) = await ctx.db.rows(statement(Holders.__table__.select().with_only_columns(Holders.id)))
        rows = [
            {"id": one, "holder_id": holder, "label": "x", "hash": one.bytes * 2, "prefix": "p", "ending": "1234",
             "scopes": []}
            for one in ids[1:]
        ]  # fmt: skip
        await ctx.db.run(statement(insert(ApiKeys).values(rows)))
        for first in range(0, CALLS, 200):
            at = [now + timedelta(seconds=number) for number in range(first, first + 200)]
            common = {"holder_id": holder, "method": "GET", "endpoint": "/x"}
            call = {**common, "status": 200, "latency_ms": 5, "request_id": "-"}
            rows = [{**call, "at": one, "id": new_id(), "key_id": ids[n % len(ids)]} for n, one in enumerate(at)]
            await ctx.db.run(statement(insert(ApiCalls).values(rows)))
            hour = {**common, "bucket_ms": 5, "calls": 1, "errors": 0, "latency_ms": 5}
            rows = [{**hour, "hour": now - timedelta(hours=first + n), "key_id": ids[n % len(ids)]} for n in range(200)]
            await ctx.db.run(statement(insert(ApiCallHours).values(rows)))
    await analyze(kit.database)
    entry = writing.Entry("2026-03-14T12:00:00.000000Z", new_id(), ids[0], "GET", "/x", 200, 5, "-")
    return {
        "holder": holder, "key": ids[0], "since": now - timedelta(hours=48), "until": now + timedelta(hours=1),
        "before_id": UUID(int=0), "status_min": 0, "status_max": 999, "endpoint": "", "method": "", "limit": 50,
        "offset": 0, "first": now, "last": now + timedelta(seconds=3), "ids": [ids[0]], "calls": [entry],
    }  # fmt: skip


async def analyze(database):
    if database.kind == "sqlite":
        with sqlite3.connect(Path(database.api_url.removeprefix("sqlite:///"))) as file:
            file.execute("ANALYZE")
        return
    owner = await asyncpg.connect(database.owner_url)
    await owner.execute("ANALYZE")
    await owner.close()


async def plan_of(kit, wanted, role, given):
    compiled = wanted.compiled(kit.runtime.api.kind, role)
    ada = identity_of(Actor("user", user_id=new_id()))
    given = {"_user_id": ada.user_id, "_organization_ids": (), **given}
    arguments = compiled.arguments({name: given[name] for name in (*compiled.names, "_user_id", "_organization_ids")})
    if kit.database.kind == "sqlite":
        found = kit.runtime.api.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)
        return "\n".join(row[3] for row in found)
    sql = compiled.sql
    if compiled.bound_sql is not None:
        sql, arguments = compiled.bound_sql, [*arguments, ada.claims()]
    if "calls" in compiled.names:
        arguments = [json.dumps([]) if isinstance(one, list) else one for one in arguments]
    login = await asyncpg.connect(kit.database.service_url if role is Role.SERVICE else kit.database.api_url)
    try:
        # Most days' partitions are empty here, and walking through nothing is cheapest: without an index it still is.
        await login.execute("SET enable_seqscan = off")
        return "\n".join(row[0] for row in await login.fetch(f"EXPLAIN {sql}", *arguments))
    finally:
        await login.close()


async def test_an_index_serves(kit, full, subtests):
    now = kit.clock.now()
    for name, (wanted, table, role) in SERVED.items():
        with subtests.test(name):
            long_ago = now - timedelta(hours=6100) if "hours" in name else now + timedelta(seconds=1)
            before = now + timedelta(seconds=3000) if "page" in name else long_ago
            plan = await plan_of(kit, wanted, role, {**full, "before": before})
            lines = [line.strip() for line in plan.splitlines() if table in line]
            assert lines, plan
            walked = "SCAN " if kit.database.kind == "sqlite" else "Seq Scan"
            assert not [line for line in lines if walked in line and " USING " not in line], plan
