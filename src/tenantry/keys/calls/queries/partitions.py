"""Partitions of `api_calls`: made and dropped by functions of the database, since the logins own no table."""

from datetime import datetime

from sqlalchemy import select

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime, Words
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import add_partition, drop_partition

from ...models import ApiCallHours, ApiCalls

_add = statement(select(add_partition(param("parent", Words()), param("day", UtcDateTime()))))
_drop = statement(select(drop_partition(param("parent", Words()), param("before", UtcDateTime()))))

EXPIRED_CALLS = expired(ApiCalls.at)
EXPIRED_HOURS = expired(ApiCallHours.hour)


async def add(db: Unit, day: datetime) -> bool:
    """Make the partition of a UTC day; False when there is one, or when the default one has rows of that day."""
    made: bool = await db.one(_add, parent=ApiCalls.__tablename__, day=day)
    return made


async def drop_one(db: Unit, before: datetime) -> bool:
    """Drop the oldest partition that ends before a time or just then; False when there is none left."""
    dropped: bool = await db.one(_drop, parent=ApiCalls.__tablename__, before=before)
    return dropped
