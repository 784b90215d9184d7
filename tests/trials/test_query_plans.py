"""What is asked often is served by an index on both databases, with thousands of rows and fresh statistics."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert

from tenantry.holders import queries as holders
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import statement
from tenantry.kernel.policies import Role
from tenantry.keys import queries as keys
from tenantry.keys.models import ApiKeys
from tenantry.trials import queries
from tenantry.trials.models import TrialWorkspaces

ROWS, BATCH = 3000, 200
MINE = UUID(int=1)
SERVED = {
    **{f"a page of {stands or 'all'}": (one, "trial_workspaces") for stands, one in queries._pages.items()},
    "holders of a page": (queries._pages["active"], "holders"),
    "keys of a page": (queries._pages["active"], "api_keys"),
    "one": (queries._one, "trial_workspaces"),
    "count the active ones": (queries._active, "trial_workspaces"),
    "count all of an owner": (queries._started, "trial_workspaces"),
    "lock": (queries._lock, "trial_workspaces"),
    "extend": (queries._extend, "trial_workspaces"),
    **{f"end, {status}": (one, "trial_workspaces") for status, one in queries._ends.items()},
    "those that are over": (queries._over, "trial_workspaces"),
    "those to be reminded": (queries._untold, "trial_workspaces"),
    "remind": (queries._remind, "trial_workspaces"),
    "export": (queries._windows, "holders"),
    "move the end": (holders._move_end, "holders"),
    "move keys": (keys._move, "api_keys"),
    "lock a running holder": (keys._lock_running, "holders"),
}


def rows_of(now):
    people = [UUID(int=number + 1) for number in range(ROWS)]
    day = timedelta(days=1)
    return {
        Users: [{"id": one, "email": f"{one}@example.com"} for one in people],
        TrialWorkspaces: [
            {"id": one, "user_id": one, "name": "x", "slug": f"x-{n}", "created_at": now - 500 * day,
             "expires_at": now + (n - 60) * day / 2, "status": "active" if n % 50 == 0 else "cancelled",
             "cancelled_at": None if n % 50 == 0 else now}
            for n, one in enumerate(people)
        ],
        Holders: [
            {"id": one, "kind": "workspace", "workspace_id": one, "owner_id": one, "plan": "standard"} for one in people
        ],
        ApiKeys: [
            {"id": one, "holder_id": one, "label": "x", "hash": one.bytes * 2, "prefix": "x", "ending": "xxxx",
             "scopes": [], "status": "active"}
            for one in people
        ],
    }  # fmt: skip


@pytest.fixture
async def full(kit):
    for table, rows in rows_of(kit.clock.now()).items():
        async with kit.system.service() as ctx:
            for first in range(0, ROWS, BATCH):
                await ctx.db.run(statement(insert(table).values(rows[first : first + BATCH])))
    if kit.database.kind == "sqlite":
        kit.runtime.service.writer.execute("ANALYZE")
    else:
        login = await asyncpg.connect(kit.database.owner_url)
        await login.execute("ANALYZE")
        await login.close()
    return kit


async def plan_of(kit, wanted):
    now = kit.clock.now()
    given = {
        "owner": MINE, "workspace": MINE, "before": UUID(int=2**128 - 1), "limit": 10, "offset": 0, "seconds": 60,
        "earlier": -86400, "end": now, "holder": MINE, "new_holder": UUID(int=2),
    }  # fmt: skip
    if wanted in (queries._untold, queries._remind):
        given["before"] = 86400
    compiled = wanted.compiled(kit.database.kind, Role.SERVICE)
    arguments = compiled.arguments({name: given[name] for name in compiled.names})
    if kit.database.kind == "sqlite":
        return [row[3] for row in kit.runtime.service.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)]
    login = await asyncpg.connect(kit.database.service_url)
    try:
        # As on a solid disk: so few rows would else be walked by chance.
        await login.execute("SET random_page_cost = 1.1")
        return [row[0] for row in await login.fetch(f"EXPLAIN {compiled.sql}", *arguments)]
    finally:
        await login.close()


async def test_an_index_serves(full, subtests):
    for name, (wanted, table) in SERVED.items():
        with subtests.test(name):
            plan = await plan_of(full, wanted)
            lines = [line.strip() for line in plan if table in line]
            assert lines, plan
            walked = "SCAN " if full.database.kind == "sqlite" else "Seq Scan"
            # SQLite calls an index that is walked in order a scan too.
            assert not [line for line in lines if walked in line and " USING " not in line], plan
