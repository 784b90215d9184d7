"""Writing calls in bulk: a statement for the calls of a batch, and one for what they add to their hours."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.sql import any_of, entries, member, plus

from ...models import ApiCallHours, ApiCalls, ApiKeys

USED_EVERY_SECONDS = 60


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call as the statement reads it."""

    at: str
    id: UUID
    key: UUID
    method: str
    endpoint: str
    status: int
    ms: int
    request: str
    asked: msgspec.Raw | None = None
    told: msgspec.Raw | None = None

    @property
    def hour(self) -> str:
        """When the UTC hour of the call began."""
        return f"{self.at[:13]}:00:00.000000Z"


class Hour(msgspec.Struct, frozen=True):
    """What some calls add to a row of their hour."""

    key: UUID
    hour: str
    method: str
    endpoint: str
    bucket: int
    calls: int
    errors: int
    ms: int


_call = entries("calls").rows()
_key = member(_call.c.value, "key", Id())
_add = statement(
    insert(ApiCalls)
    .from_select(
        [
            "at", "id", "holder_id", "key_id", "method", "endpoint", "status", "latency_ms", "request_id",
            "request_body", "response_body",
        ],
        select(
            member(_call.c.value, "at", UtcDateTime()),
            member(_call.c.value, "id", Id()),
            # The key's of now: it may have been given to another since the call, when its trial was converted.
            ApiKeys.holder_id,
            _key,
            member(_call.c.value, "method", Words()),
            member(_call.c.value, "endpoint", Words()),
            member(_call.c.value, "status", Whole()),
            member(_call.c.value, "ms", Whole()),
            member(_call.c.value, "request", Words()),
            member(_call.c.value, "asked", Json()),
            member(_call.c.value, "told", Json()),
        )
        .select_from(_call)
        # Whose key is gone has no row to belong to; the others of the batch have.
        .join(ApiKeys, ApiKeys.id == _key),
    )
)  # fmt: skip

_known = statement(
    select(ApiCalls.id).where(ApiCalls.at >= param("first"), ApiCalls.at <= param("last"), any_of(ApiCalls.id, "ids"))
)

_hour = entries("hours").rows()
_more = insert(ApiCallHours).from_select(
    ["holder_id", "key_id", "hour", "method", "endpoint", "bucket_ms", "calls", "errors", "latency_ms"],
    select(
        # The same as the calls': whoever would give the key to another waits for these.
        ApiKeys.holder_id,
        ApiKeys.id,
        member(_hour.c.value, "hour", UtcDateTime()),
        member(_hour.c.value, "method", Words()),
        member(_hour.c.value, "endpoint", Words()),
        member(_hour.c.value, "bucket", Whole()),
        member(_hour.c.value, "calls", Whole()),
        member(_hour.c.value, "errors", Whole()),
        member(_hour.c.value, "ms", Whole()),
    )
    .select_from(_hour)
    .join(ApiKeys, ApiKeys.id == member(_hour.c.value, "key", Id()))
    .where(member(_hour.c.value, "calls", Whole()) > 0)
    .order_by(ApiKeys.holder_id, ApiKeys.id, *(member(_hour.c.value, name, Words()) for name in ("hour", "method")))
    .order_by(member(_hour.c.value, "endpoint", Words()), member(_hour.c.value, "bucket", Whole())),
)
_count = statement(
    _more.on_conflict_do_update(
        index_elements=["holder_id", "key_id", "hour", "method", "endpoint", "bucket_ms"],
        set_={
            "calls": ApiCallHours.calls + _more.excluded.calls,
            "errors": ApiCallHours.errors + _more.excluded.errors,
            "latency_ms": ApiCallHours.latency_ms + _more.excluded.latency_ms,
        },
    )
)


_used = entries("used").rows()
_used_at = member(_used.c.value, "at", UtcDateTime())
# Not at every batch: the row would be written again and again for a figure that people read to the minute.
_is_due = or_(ApiKeys.last_used_at.is_(None), ApiKeys.last_used_at < plus(_used_at, -USED_EVERY_SECONDS))
_use = statement(
    update(ApiKeys).where(ApiKeys.id == member(_used.c.value, "key", Id()), _is_due).values(last_used_at=_used_at)
)


async def use(db: Unit, last: Mapping[UUID, str]) -> None:
    """Note when keys were used last, to the minute. `last` are times as the statement reads them."""
    if last:
        await db.run(_use, used=[{"key": str(key), "at": at} for key, at in sorted(last.items())])


async def known(db: Unit, calls: Sequence[Entry]) -> set[UUID]:
    """The ids of those that are written already."""
    times = [datetime.fromisoformat(one.at) for one in calls]
    return set(await db.rows(_known, ids=[one.id for one in calls], first=min(times), last=max(times)))


async def add(db: Unit, calls: Sequence[Entry]) -> int:
    """Write calls; answers how many. Left out are those of keys that are gone."""
    return await db.run(_add, calls=calls) if calls else 0


async def count(db: Unit, hours: Sequence[Hour]) -> None:
    """Add to the hours' rows, all processes in the same order, so that nobody waits in a circle."""
    if hours:
        await db.run(_count, hours=hours)
