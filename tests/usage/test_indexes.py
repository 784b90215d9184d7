"""F-04: every look-up for which the file vault's document wants an index is served by one, with fresh statistics.

The document names them by its own columns: `user_id` is the holder here, `metric` the meter. An index of ours serves
several of them: the key by its first columns, the end of a window where many holders share its beginning.
"""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert, select

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.policies import Role
from tenantry.usage.models import UsageCounters

PEOPLE, DAYS, BATCH = 600, 10, 200
C = UsageCounters
_key = select(C.holder_id, C.meter, C.window_start, C.window_end, C.used, C.quota)
_holder, _meter = C.holder_id == param("holder"), C.meter == param("meter")
_start = C.window_start == param("start", UtcDateTime())
_end = C.window_end == param("end", UtcDateTime())
_over = C.window_end < param("old", UtcDateTime())
_open = (C.window_start <= param("at", UtcDateTime()), C.window_end > param("at", UtcDateTime()))

# The document's index: what is looked up by it, and the indexes that may serve it.
KEY, ENDS, METERS = "pk_usage_counters", "ix_usage_counters_window_end", "ix_usage_counters_meter_window_start"
LOOKUPS = {
    "(user_id, metric)": (_key.where(_holder, _meter), {KEY}),
    "(window_start, window_end): one window": (_key.where(_start, _end), {ENDS}),
    "(window_start, window_end): windows that are open": (_key.where(*_open), {ENDS}),
    "(window_start, window_end): windows that are over": (_key.where(_over), {ENDS}),
    "(metric)": (_key.where(_meter), {METERS}),
    "(metric), in one window": (_key.where(_meter, _start), {METERS}),
    "(user_id, window_start, window_end): one window": (_key.where(_holder, _start, _end), {KEY}),
    "(user_id, window_start, window_end): windows that are open": (_key.where(_holder, *_open), {KEY}),
    "(user_id, metric, window_start)": (_key.where(_holder, _meter, _start), {KEY}),
}  # fmt: skip


def counters(now):
    """Ten days of one meter for everybody, and of a second one for a few."""
    for number in range(PEOPLE):
        for day in range(DAYS):
            start = now - timedelta(days=day, hours=1)
            row = {"holder_id": UUID(int=number + 1), "window_start": start, "window_end": start + timedelta(days=1),
                   "quota": 5, "used": 1, "holder_revision": 1}  # fmt: skip
            yield {**row, "meter": "api_calls"}
            if number % 60 == 0:
                yield {**row, "meter": "agent_runs"}


@pytest.fixture
async def full(kit):
    people = [UUID(int=number + 1) for number in range(PEOPLE)]
    tables = {
        Users: [{"id": one, "email": f"{one}@example.com"} for one in people],
        Holders: [{"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "free"} for one in people],
        UsageCounters: list(counters(kit.clock.now())),
    }
    for table, rows in tables.items():
        async with kit.system.service() as ctx:
            for first in range(0, len(rows), BATCH):
                await ctx.db.run(statement(insert(table).values(rows[first : first + BATCH])))
    if kit.database.kind == "sqlite":
        kit.runtime.service.writer.execute("ANALYZE")
    else:
        owner = await asyncpg.connect(kit.database.owner_url)
        await owner.execute("ANALYZE")
        await owner.close()
    return kit


async def plan_of(kit, wanted):
    now = kit.clock.now()
    start = now - timedelta(hours=1)
    given = {"holder": UUID(int=7), "meter": "agent_runs", "start": start, "end": start + timedelta(days=1),
             "at": now, "old": now - timedelta(days=8, hours=12)}  # fmt: skip
    compiled = statement(wanted, lambda *row: row).compiled(kit.database.kind, Role.SERVICE)
    arguments = compiled.arguments({name: given[name] for name in compiled.names})
    if kit.database.kind == "sqlite":
        return "\n".join(
            row[3] for row in kit.runtime.service.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)
        )
    login = await asyncpg.connect(kit.database.service_url)
    try:
        # As on a solid disk, whose pages cost the same wherever they lie.
        await login.execute("SET random_page_cost = 1.1")
        return "\n".join(row[0] for row in await login.fetch(f"EXPLAIN {compiled.sql}", *arguments))
    finally:
        await login.close()


async def test_f_04_each_lookup_of_the_document_is_served_by_an_index(full, subtests):
    for name, (wanted, indexes) in LOOKUPS.items():
        with subtests.test(name):
            plan = await plan_of(full, wanted)
            # SQLite names the index of a key itself.
            served = {*indexes, "sqlite_autoindex_usage_counters_1"} if KEY in indexes else indexes
            assert any(one in plan for one in served), plan
            assert "Seq Scan" not in plan
            assert "SCAN" not in plan
