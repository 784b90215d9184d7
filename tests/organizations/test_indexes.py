"""Every look-up of organizations can be served by an index, on both databases."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database.sqlite_file import register_functions
from tenantry.kernel.policies import Role
from tenantry.organizations.queries import invitations, members, organizations
from tenantry.testing import TestDatabase

ONE, OTHER = UUID(int=1), UUID(int=2**128 - 1)
PAGE = {"limit": 9, "offset": 0}
LOOK_UPS: dict[str, tuple[Any, dict[str, Any]]] = {
    "of a person": (organizations._of_user, {"user": ONE, "before": OTHER, **PAGE}),
    "one of a person": (organizations._one_of_user, {"user": ONE, "organization": ONE}),
    "owned by": (organizations._owned, {"user": ONE}),
    "its seats by its plan": (organizations._SEATS[True], {"organization": ONE}),
    "its seats by its owner's": (organizations._SEATS[False], {"organization": ONE}),
    "its members": (members._page, {"viewer": ONE, "organization": ONE, "after": ONE, **PAGE}),
    "a member of an address": (members._of_email, {"organization": ONE, "email": "a@example.com"}),
    "its invitations": (invitations._pages["pending"], {"organization": ONE, "before": OTHER, **PAGE}),
    "a pending one": (invitations._pending_of, {"organization": ONE, "email": "a@example.com"}),
    "by a token": (invitations._by_token, {"hash": b"x" * 32}),
    "for a person": (invitations._for_person, {"user": ONE, "before": OTHER, **PAGE}),
    "for an address": (invitations._waits, {"email": "a@example.com"}),
    "sent by": (invitations._sent_by, {"user": ONE}),
    "late ones": (invitations.EXPIRED.statement, {"before": datetime(2026, 1, 1, tzinfo=UTC)}),
}


async def plans(database: TestDatabase) -> dict[str, str]:
    """What each database means to do, where it may not read whole tables."""
    asked = {}
    for name, (statement, given) in LOOK_UPS.items():
        compiled = statement.compiled(database.kind, Role.SERVICE)
        asked[name] = (compiled.sql, compiled.arguments({**given, "_user_id": None, "_organization_ids": ()}))
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as file:
            register_functions(file, SystemClock())
            explained = {name: file.execute(f"EXPLAIN QUERY PLAN {sql}", given) for name, (sql, given) in asked.items()}
            return {name: "\n".join(row[3] for row in rows) for name, rows in explained.items()}
    there: Any = await asyncpg.connect(database.owner_url)
    try:
        await there.execute("SET enable_seqscan = off")
        return {
            name: "\n".join(row[0] for row in await there.fetch(f"EXPLAIN {sql}", *given))
            for name, (sql, given) in asked.items()
        }
    finally:
        await there.close()


async def test_no_table_is_read_whole(database: TestDatabase) -> None:
    whole = "SCAN " if database.kind == "sqlite" else "Seq Scan"
    assert {name: plan for name, plan in (await plans(database)).items() if whole in plan} == {}
