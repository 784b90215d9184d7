"""The audit log only grows, on both databases, whoever asks."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import AuditLog, audit
from tenantry.kernel.context import Actor, Origin
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, PolicyViolation, Unstorable
from tenantry.kernel.policies import PolicyRefused
from tenantry.testing import AppKit
from tenantry.testing.queries import latest_entries

ADA, EVE = UUID(int=1), UUID(int=2)


def as_user(kit: AppKit) -> Context:
    return Context(kit.runtime, Actor("user", user_id=ADA), Origin("r-1", "192.0.2.7"))


async def test_an_entry_says_who_did_what_to_what_and_why(kit: AppKit) -> None:
    subject = new_id()
    async with as_user(kit).unit() as ctx:
        await audit(ctx, "thing.changed", subject=("thing", subject), reason="asked by mail", detail={"to": [1, None]})
    async with kit.system.service() as ctx:
        await audit(ctx, "thing.swept")
    async with kit.system.service(writes=False) as ctx:
        second, first = await latest_entries(ctx.db, 2)
    assert (first.actor_id, first.actor_kind, first.action) == (ADA, "user", "thing.changed")
    assert (first.subject_id, first.detail) == (str(subject), {"to": [1, None]})
    assert (second.actor_id, second.actor_kind, second.detail) == (None, "system", {})


async def test_an_entry_shares_the_fate_of_its_unit(kit: AppKit) -> None:
    working = as_user(kit).unit()
    ctx = await working.__aenter__()
    await audit(ctx, "thing.changed")
    assert await working.__aexit__(ValueError, ValueError(), None) is not True
    async with kit.system.service(writes=False) as ctx:
        assert "thing.changed" not in [one.action for one in await latest_entries(ctx.db)]


ADD = statement(
    insert(AuditLog).values(id=param("id"), actor_id=param("who"), actor_kind="user", action="x", detail={})
)


async def test_nobody_writes_in_anothers_name_or_at_another_time(kit: AppKit) -> None:
    for refusal, expression, given in (
        (PolicyViolation, ADD, {"id": new_id(), "who": EVE}),
        (PolicyViolation, ADD, {"id": new_id(), "who": None}),
        (PolicyRefused, statement(insert(AuditLog).values(created_at=param("at"))), {"at": kit.clock.now()}),
    ):
        with pytest.raises(refusal):
            async with as_user(kit).unit() as ctx:
                await ctx.db.run(expression, **given)
    with pytest.raises(PolicyRefused):
        async with as_user(kit).unit(writes=False) as ctx:
            await latest_entries(ctx.db)


@pytest.mark.parametrize("who", ["user", "service"])
@pytest.mark.parametrize("how", ["update", "delete"])
async def test_no_statement_of_ours_changes_an_entry(kit: AppKit, who: str, how: str) -> None:
    async with kit.system.service() as ctx:
        await audit(ctx, "thing.changed")
    changing: Any = statement(update(AuditLog).values(action="y") if how == "update" else delete(AuditLog))
    with pytest.raises(PolicyRefused, match=f"may not {how} audit_log"):
        async with as_user(kit).unit() if who == "user" else kit.system.service() as ctx:
            await ctx.db.run(changing)


AGAIN = "INTO audit_log (id, actor_kind, action, detail) SELECT id, 'user', 'y', '{}' FROM audit_log WHERE true"


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_log SET action = 'y'",
        "DELETE FROM audit_log",
        f"INSERT OR REPLACE {AGAIN}",
        f"INSERT {AGAIN} ON CONFLICT (id) DO UPDATE SET action = 'y'",
    ],
)
async def test_no_raw_sql_changes_an_entry(kit: AppKit, sql: str) -> None:
    async with kit.system.service() as ctx:
        await audit(ctx, "thing.changed")
    path = Path(kit.database.api_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("tenantry_now", 0, lambda: "2026-01-01T00:00:00.000000Z")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(sql)
        assert connection.execute("SELECT DISTINCT action FROM audit_log").fetchall() == [("thing.changed",)]


async def test_what_is_no_entry_is_refused(kit: AppKit) -> None:
    for refusal, action, detail in (
        (CheckViolation, "", {}),
        (CheckViolation, "x" * 101, {}),
        (Unstorable, "x", {"secret": "a\0b"}),
    ):
        with pytest.raises(refusal):
            async with kit.system.service() as ctx:
                await audit(ctx, action, detail=detail)
