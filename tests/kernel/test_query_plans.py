"""Hot statements are served by an index on both databases, with thousands of rows and fresh statistics."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert

from tenantry.holders import queries as holders
from tenantry.holders.models import Holders, Plans
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.database import statement
from tenantry.kernel.database.units import Identity
from tenantry.kernel.idempotency import queries as idempotency
from tenantry.kernel.idempotency.models import IdempotencyKeys
from tenantry.kernel.jobs import queries as jobs
from tenantry.kernel.jobs.models import Jobs
from tenantry.kernel.mail import queries as mails
from tenantry.kernel.mail.models import Mails
from tenantry.kernel.policies import Role
from tenantry.usage.models import UsageCounters, UsageGauges, UsageReservations
from tenantry.usage.queries import counters as usage
from tenantry.usage.queries import exchange, history, notices, reservations, stocks

ROWS, BATCH, MINE = 3000, 200, UUID(int=1)

SERVED: dict[str, tuple[Any, str, Role]] = {
    "claim jobs": (jobs._claim, "jobs", Role.SERVICE),
    "finish a job": (jobs._finish, "jobs", Role.SERVICE),
    "fail a job": (jobs._fail, "jobs", Role.SERVICE),
    "hand a job back": (jobs._hand_back, "jobs", Role.SERVICE),
    "replay a job": (jobs._replay, "jobs", Role.SERVICE),
    "the dead jobs": (jobs._dead, "jobs", Role.SERVICE),
    "forget jobs": (jobs.EXPIRED.statement, "jobs", Role.SERVICE),
    "a mail by its id": (mails._by_id, "mails", Role.SERVICE),
    "the newest mails": (mails._latest, "mails", Role.SERVICE),
    "settle a mail": (mails._settle, "mails", Role.SERVICE),
    "forget mails": (mails.EXPIRED.statement, "mails", Role.SERVICE),
    "what is kept of a key": (idempotency._kept, "idempotency_keys", Role.SERVICE),
    "keep an answer": (idempotency._settle, "idempotency_keys", Role.SERVICE),
    "keep an answer, as the user": (idempotency._settle, "idempotency_keys", Role.AUTHENTICATED),
    "give a key free": (idempotency._release, "idempotency_keys", Role.SERVICE),
    "forget keys": (idempotency.EXPIRED.statement, "idempotency_keys", Role.SERVICE),
    "a holder by its user": (holders._by_user, "holders", Role.SERVICE),
    "a holder by its id": (holders._by_id, "holders", Role.SERVICE),
    "set a plan": (holders._set_plan, "holders", Role.SERVICE),
    "set what is billed": (holders._set_billed, "holders", Role.SERVICE),
    "exchange, whose": (exchange._exchange, "holders", Role.SERVICE),
    "open windows": (exchange._open, "holders", Role.SERVICE),
    "hold the open windows": (usage._open_windows, "usage_counters", Role.SERVICE),
    "move windows": (usage._move_windows, "usage_counters", Role.SERVICE),
    "forget windows": (usage.EXPIRED.statement, "usage_counters", Role.SERVICE),
    "stand": (usage._standing, "usage_counters", Role.SERVICE),
    "stand, as the user": (usage._standing, "usage_counters", Role.AUTHENTICATED),
    "stand for several meters": (usage._open, "usage_counters", Role.SERVICE),
    "stand for several meters, as the user": (usage._open, "usage_counters", Role.AUTHENTICATED),
    "whose meters": (usage._open, "holders", Role.AUTHENTICATED),
    "every window": (usage._windows, "usage_counters", Role.SERVICE),
    "every window, as the user": (usage._windows, "usage_counters", Role.AUTHENTICATED),
    "history": (history._history, "usage_counters", Role.SERVICE),
    "history, as the user": (history._history, "usage_counters", Role.AUTHENTICATED),
    "tell of a percent": (notices._tell, "usage_counters", Role.SERVICE),
    "whom to tell": (notices._readers, "holders", Role.SERVICE),
    "a reservation by its id": (reservations._by_id, "usage_reservations", Role.SERVICE),
    "lock a reservation": (reservations._lock, "usage_reservations", Role.SERVICE),
    "lock its counter": (reservations._lock, "usage_counters", Role.SERVICE),
    "end a reservation": (reservations._end, "usage_reservations", Role.SERVICE),
    "count what it used": (reservations._count, "usage_counters", Role.SERVICE),
    "reservations that are due": (reservations._due, "usage_reservations", Role.SERVICE),
    "lower a level": (stocks._lower, "usage_gauges", Role.SERVICE),
    "a level": (stocks._level, "usage_gauges", Role.SERVICE),
    "every level, as the user": (stocks._levels, "usage_gauges", Role.AUTHENTICATED),
    "lock a holder": (stocks._lock_holder, "holders", Role.SERVICE),
    "one's own holder, as the user": (holders._by_user, "holders", Role.AUTHENTICATED),
}
GIVEN = {
    "lease": UUID(int=5), "held_by": UUID(int=5), "limit": 10, "seconds": 60, "id": UUID(int=7), "user": MINE,
    "holder": MINE, "meter": "requests", "per": "day", "cost": 1, "plan": "free", "revision": 2,
    "asked": [exchange._written(exchange.Asked(MINE, "requests", "day", None, 0, 0, 1, 1, True))],
    "meters": ["requests"], "monthly": ["exports"], "source": "admin", "status": "sent", "delay": 5, "error": "x",
    "reservation": UUID(int=7), "was": "held", "becomes": "settled", "counts": 1, "gauge": "storage", "by": -1,
    "from_leased": 1, "from_used": 0, "actual": 1, "percents": [{"percent": 80}], "percent": 80, "granted": None,
    "new_plan": "free", "new_plan_source": "billing", "new_plan_until": None, "new_plan_after": None,
    "new_period_start": None, "new_period_end": None, "actor_kind": "user", "actor_id": MINE,
    "key_hash": bytes(32), "answer": "x",
}  # fmt: skip


def rows_of(now: Any) -> dict[Any, list[dict[str, Any]]]:
    """Many finished jobs and few due ones, many windows of many holders: what a year of work leaves."""
    day = timedelta(days=1)
    people = [UUID(int=number + 1) for number in range(ROWS)]
    done = [
        {"id": new_id(), "name": "n", "payload": {}, "attempts_max": 8, "status": "done" if n % 50 else "queued",
         "run_at": now - n * day / 100, "finished_at": now - n * day / 100}
        for n in range(ROWS)
    ]  # fmt: skip
    return {
        Plans: [{"name": "free", "display_name": "Free", "currency": "USD", "limits": {"requests": 5}, "features": [],
                 "is_active": True, "position": 0}],
        Users: [{"id": one, "email": f"{one}@example.com"} for one in people],
        Holders: [{"id": one, "kind": "user", "user_id": one, "owner_id": one, "plan": "free"} for one in people],
        UsageCounters: [
            {"holder_id": one, "meter": "requests", "window_start": now - day * (n % 30), "quota": 5, "used": 1,
             "window_end": now - day * (n % 30) + day, "holder_revision": 1}
            for n, one in enumerate(people)
        ],
        UsageReservations: [
            {"id": one, "holder_id": one, "meter": "requests", "window_start": now - day * (n % 30), "units": 1,
             "status": "settled" if n % 50 else "held", "settled": 1 if n % 50 else None,
             "expires_at": now - n * day / 100}
            for n, one in enumerate(people)
        ],
        UsageGauges: [{"holder_id": one, "gauge": "storage", "value": 5} for one in people],
        IdempotencyKeys: [
            {"id": one, "actor_kind": "user", "actor_id": one, "key_hash": bytes(32), "route": "POST /v1/keys",
             "request_hash": bytes(32), "lease": UUID(int=5), "leased_until": now, "ends_at": now - n * day / 100}
            for n, one in enumerate(people)
        ],
        Jobs: done,
        Mails: [
            {"id": new_id(), "recipient": f"{n}@a.com", "subject": "x", "text": "x", "sent_at": now - n * day / 100}
            for n in range(ROWS)
        ],
    }  # fmt: skip


@pytest.fixture
async def full(logins: Any, clock: Any) -> Any:
    unit = logins.serving()
    for table, rows in rows_of(clock.now()).items():
        for first in range(0, len(rows), BATCH):
            await unit.run(statement(insert(table).values(rows[first : first + BATCH])))
    await unit.commit()
    if logins.kind == "sqlite":
        logins.api.writer.execute("ANALYZE")
    else:
        owner = await asyncpg.connect(logins.database.owner_url)
        await owner.execute("ANALYZE")
        await owner.close()
    return logins


# As on a solid disk, whose pages cost the same wherever they lie: so few rows would else be walked now and then.
SOLID = "SET random_page_cost = 1.1"


async def plan_of(logins: Any, connect: Any, wanted: Any, role: Role, now: Any, *, setting: str = SOLID) -> str:
    compiled = wanted.compiled(logins.kind, role)
    given = {**GIVEN, "window": now, "since": now - timedelta(days=30), "before": now - timedelta(days=29, hours=22)}
    given |= {"after": now - timedelta(days=400), "until": now}
    given = {name: given[name] for name in compiled.names}
    who = Identity(role, MINE if role is Role.AUTHENTICATED else None)
    arguments = compiled.arguments({**given, "_user_id": who.user_id, "_organization_ids": ()})
    if logins.kind == "sqlite":
        found = logins.api.writer.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments)
        return "\n".join(row[3] for row in found)
    sql = compiled.sql
    if compiled.bound_sql is not None:
        sql = compiled.bound_sql
        arguments.append(who.claims())
    # The driver's own connection has no codec for JSON.
    is_json = bool({"asked", "percents"} & given.keys())
    arguments = [json.dumps(one) if isinstance(one, list) and is_json else one for one in arguments]
    login = await connect(logins.database.service_url if role is Role.SERVICE else logins.database.api_url)
    await login.execute(setting)
    return "\n".join(row[0] for row in await login.fetch(f"EXPLAIN {sql}", *arguments))


async def test_an_index_serves(full: Any, connect: Any, clock: Any, subtests: pytest.Subtests) -> None:
    for name, (wanted, table, role) in SERVED.items():
        with subtests.test(name):
            plan = await plan_of(full, connect, wanted, role, clock.now())
            lines = [line.strip() for line in plan.splitlines() if table in line]
            assert lines, plan
            walked = "SCAN " if full.kind == "sqlite" else "Seq Scan"
            # SQLite calls an index that is walked in order a scan too.
            assert not [line for line in lines if walked in line and " USING " not in line], plan


async def test_an_exchange_looks_up_what_it_is_about(full: Any, connect: Any, clock: Any) -> None:
    """With PostgreSQL's own settings too, where walking through some thousand holders may look cheap."""
    for wanted in (exchange._exchange, exchange._open):
        plan = await plan_of(full, connect, wanted, Role.SERVICE, clock.now(), setting="RESET random_page_cost")
        lines = [line for line in plan.splitlines() if "usage_counters" in line or "holders" in line]
        walked = [line for line in lines if "Seq Scan" in line or ("SCAN " in line and " USING " not in line)]
        assert lines
        assert not walked, plan
