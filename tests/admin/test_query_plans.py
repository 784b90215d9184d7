"""Every list of the operator's is served by an index on both databases, with thousands of rows and fresh statistics."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert

from tenantry.admin.queries import holdings, people, users
from tenantry.admin.queries.audit import ENTRIES
from tenantry.admin.queries.organizations import ORGANIZATIONS
from tenantry.admin.queries.subscriptions import SUBSCRIPTIONS
from tenantry.admin.queries.trials import TRIALS
from tenantry.billing.models import BillingEvents, Subscriptions
from tenantry.billing.queries.inbox import EVENTS
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import statement
from tenantry.kernel.jobs import operating as jobs
from tenantry.kernel.jobs.models import Jobs
from tenantry.kernel.mail import operating as mails
from tenantry.kernel.mail.models import Mails
from tenantry.kernel.policies import Role
from tenantry.organizations.models import Memberships, Organizations
from tenantry.trials.models import TrialWorkspaces
from tenantry.usage.credits.models import CreditAccounts, CreditGrants

ROWS, BATCH = 3000, 200
ROLES = {1: "PREMIUM", 2: "ADMIN"}
LISTS = {
    ENTRIES: ("audit_log", ("action", "actor", "subject", "since", "until", "own", "action since until")),
    jobs.JOBS: ("jobs", ("status", "name", "status name")),
    mails.MAILS: ("mails", ("status", "recipient")),
    EVENTS: ("billing_events", ("status", "object_id")),
    SUBSCRIPTIONS: ("subscriptions", ("status", "plan", "owner", "unlinked")),
    users.USERS: ("users", ("USER", "PREMIUM", "ADMIN", "BANNED", "plan", "PREMIUM plan")),
    ORGANIZATIONS: ("organizations", ("owner",)),
    TRIALS: ("trial_workspaces", ("active", "converted", "owner")),
}
"""Which filters are asked together, beside none."""
ALONE = {
    "jobs of mails": (jobs._attempted, "jobs"),
    "due jobs": (jobs._queue, "jobs"),
    "late mails": (mails._late, "mails"),
    "who came lately": (people._registered, "users"),
    "somebody by address": (people._by_email, "users"),
    "somebody's holder": (people._holder_of, "users"),
    "a search": (users._searches[frozenset()], "users"),
    "a search of a role": (users._searches[frozenset({"PREMIUM", "plan"})], "users"),
    "exactly somebody": (users._exactly, "users"),
    "where a search goes on": (users._scanned_to, "users"),
    "credits that expire soon": (holdings._expiring, "credit_grants"),
}


def rows_of(now):
    ids = [UUID(int=number + 1) for number in range(ROWS)]
    each = list(enumerate(ids))
    rare = {number: number % 300 == 0 for number, _ in each}
    ago = {number: now - timedelta(hours=ROWS - number) for number, _ in each}
    return {
        Users: [
            {"id": one, "email": f"{one}@example.com", "created_at": ago[n], "role": ROLES.get(n % 300, "USER"),
             "banned_at": ago[n] if n % 300 == 3 else None}
            for n, one in each
        ],
        Holders: [
            {"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "business" if rare[n] else "free"}
            for n, one in each
        ],
        Organizations: [{"id": one, "name": "x", "owner_id": one} for one in ids],
        Memberships: [{"organization_id": one, "user_id": one, "role": "owner"} for one in ids],
        CreditAccounts: [{"holder_id": one} for one in ids],
        CreditGrants: [
            {"id": one, "holder_id": one, "fact": "x", "reason": "other", "amount": 9, "detail": {},
             "remaining": 0 if n % 3 else 9, "expires_at": now + timedelta(days=n)}
            for n, one in each
        ],
        AuditLog: [
            {"id": one, "actor_id": one, "actor_kind": "user", "action": "x.rare" if rare[n] else "x.often",
             "subject_id": str(one), "detail": {}, "created_at": ago[n]}
            for n, one in each
        ],
        Jobs: [
            {"id": one, "name": "x.rare" if rare[n] else "x.often", "payload": {}, "attempts_max": 1,
             "status": "dead" if rare[n] else "done", "run_at": ago[n], "once_key": str(one)}
            for n, one in each
        ],
        Mails: [
            {"id": one, "recipient": f"{one}@example.com", "subject": "x", "text": "x", "created_at": ago[n],
             "status": "queued" if rare[n] else "sent"}
            for n, one in each
        ],
        BillingEvents: [
            {"id": one, "provider": "fake", "dedupe_key": str(one), "event": "x", "object_kind": "subscription",
             "object_id": str(one), "headers": {}, "status": "dead" if rare[n] else "done", "received_at": ago[n]}
            for n, one in each
        ],
        Subscriptions: [
            {"id": one, "holder_id": None if rare[n] else one, "provider": "fake", "external_id": f"s{n}",
             "raw_status": "x", "slot": str(one), "plan": "business" if rare[n] else "pro",
             "status": "past_due" if rare[n] else "active"}
            for n, one in each
        ],
        TrialWorkspaces: [
            {"id": one, "user_id": one, "name": "x", "slug": f"x-{n}", "created_at": ago[n],
             "expires_at": now + timedelta(days=n + 1), "status": "active" if rare[n] else "cancelled",
             "cancelled_at": None if rare[n] else now}
            for n, one in each
        ],
    }  # fmt: skip


@pytest.fixture
async def full(office):
    kit = office.kit
    async with kit.system.service() as ctx:
        for table, rows in rows_of(kit.clock.now()).items():
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
    now, mine = kit.clock.now(), UUID(int=7)
    given = {
        "place_at": now - timedelta(days=60), "place_id": UUID(int=1500), "limit": 51, "action": "x.rare",
        "actor": mine, "subject": str(mine), "since": now - timedelta(days=70), "until": now - timedelta(days=69),
        "own_id": mine,
        "own_subjects": [str(mine)], "status": "dead", "name": "x.rare", "recipient": f"{mine}@example.com",
        "object_id": str(mine), "plan": "business", "owner": f"{mine}@example.com", "keys": [str(mine)],
        "pattern": "%nobody%", "before": UUID(int=2900), "look_through": 100, "skipped": 99, "text": "x", "user": mine,
        "soon": 86400 * 30, "seconds": -600, "email": f"{mine}@example.com",
    }  # fmt: skip
    compiled = wanted.compiled(kit.database.kind, Role.SERVICE)
    arguments = compiled.arguments({name: given[name] for name in compiled.names})
    if kit.database.kind == "sqlite":
        return [row[3] for row in kit.runtime.service.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)]
    login = await asyncpg.connect(kit.database.service_url)
    try:
        # As on a solid disk, whose pages cost the same wherever they lie.
        await login.execute("SET random_page_cost = 1.1")
        # Whether one can serve it is asked, not whether reading so small a table whole costs a little less.
        await login.execute("SET enable_seqscan = off")
        return [row[0].strip() for row in await login.fetch(f"EXPLAIN {compiled.sql}", *arguments)]
    finally:
        await login.close()


async def test_an_index_serves_every_list(full, subtests):
    asked = {
        f"{table} by {filters or 'nothing'}, {goes_up}": (
            listing.statement(frozenset(filters.split()), goes_up=goes_up),
            table,
        )
        for listing, (table, many) in LISTS.items()
        for filters in ("", *many)
        for goes_up in (None, False, True)
    }
    for name, (wanted, table) in {**asked, **ALONE}.items():
        with subtests.test(name):
            plan = await plan_of(full, wanted)
            lines = [line for line in plan if table in line]
            assert lines, plan
            walked = "SCAN " if full.database.kind == "sqlite" else "Seq Scan"
            # SQLite calls an index that is walked in order a scan too.
            assert not [line for line in lines if walked in line and " USING " not in line], plan
