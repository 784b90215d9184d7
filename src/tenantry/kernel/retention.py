"""Deleting what was kept long enough: oldest first by an indexed column, a bounded batch in a unit of its own each."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete, inspect, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import ColumnElement

from .context import Context
from .database.statements import Statement, param, statement
from .database.types import UtcDateTime

BATCH = 1000
"""Rows in one transaction: short enough that nobody waits for it."""


class Expired(msgspec.Struct, frozen=True):
    """What of a table may go: the statement deletes one batch of it."""

    table: str
    statement: Statement[Any]


def expired(by: InstrumentedAttribute[Any], *also: ColumnElement[bool]) -> Expired:
    """The rows whose column `by`, which has an index, lies before a time, as far as `also` holds for them."""
    table = by.class_
    key = [table.__table__.c[one.name] for one in inspect(table).primary_key]
    these = key[0] if len(key) == 1 else tuple_(*key)
    goes = these.in_(select(*key).where(by < param("before", UtcDateTime()), *also).order_by(by).limit(BATCH))
    return Expired(table.__tablename__, statement(delete(table).where(goes)))


async def forget(ctx: Context, what: Expired, *, before: datetime) -> int:
    """Delete all of it, batch by batch on the service login; `ctx` has no open unit. Answers how many rows went.

    Counted in `/metrics` by table.
    """
    total, deleted = 0, BATCH
    while deleted == BATCH:
        async with ctx.service(single=True) as working:
            deleted = await working.db.run(what.statement, before=before)
        total += deleted
        ctx.runtime.metrics.forgot(what.table, deleted)
    return total
