"""Reading calls, newest first, and what the roll-ups say of them: one statement each, as the key's owner.

Each begins at the key: no row means that there is no such key, a row without anything else that it made no calls.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import and_, cast, func, literal, or_, select, true, tuple_, union_all

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, UtcDateTime, Whole, Words
from tenantry.kernel.sql import day_of

from ...errors import KeyNotFound
from ...models import ApiCallHours, ApiCalls, ApiKeys
from ..rows import Call, Count

EVER, NEVER = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_LAST = UUID(int=2**128 - 1)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls of a key. `before`: the one that ends the page before, by its time and id."""

    status_min: int = 0
    status_max: int = 999
    endpoint: str = ""
    method: str = ""
    since: datetime = EVER
    until: datetime = NEVER
    before: tuple[datetime, UUID] = (NEVER, _LAST)
    limit: int = 100
    offset: int = 0


_mine = and_(ApiKeys.id == param("key", Id()), ApiKeys.holder_id == param("holder", Id()))

_calls = (
    select(
        ApiCalls.id, ApiCalls.at, ApiCalls.method, ApiCalls.endpoint, ApiCalls.status, ApiCalls.latency_ms,
        ApiCalls.request_id, ApiCalls.request_body, ApiCalls.response_body,
    )
    .where(
        ApiCalls.holder_id == param("holder", Id()),
        ApiCalls.key_id == param("key", Id()),
        ApiCalls.at >= param("since", UtcDateTime()),
        ApiCalls.at < param("until", UtcDateTime()),
        # The same as the next, for the planner, which goes no further than `at` in the index.
        ApiCalls.at <= param("before", UtcDateTime()),
        tuple_(ApiCalls.at, ApiCalls.id) < tuple_(param("before", UtcDateTime()), param("before_id", Id())),
        ApiCalls.status.between(param("status_min", Whole()), param("status_max", Whole())),
        or_(param("endpoint", Words()) == "", ApiCalls.endpoint == param("endpoint", Words())),
        or_(param("method", Words()) == "", ApiCalls.method == param("method", Words())),
    )
    .order_by(ApiCalls.at.desc(), ApiCalls.id.desc())
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole()))
    .subquery("calls")
)  # fmt: skip
_page = statement(
    select(*_calls.c)
    .select_from(ApiKeys)
    .outerjoin(_calls, true())
    .where(_mine)
    .order_by(_calls.c.at.desc(), _calls.c.id.desc()),
    Call,
)


def _counts(step: Any) -> Any:
    """The counts of each step of time by bucket, and those of each endpoint over all of it."""
    sums = (
        # PostgreSQL's sum of whole numbers is a decimal one.
        cast(func.sum(ApiCallHours.calls), Whole()).label("calls"),
        cast(func.sum(ApiCallHours.errors), Whole()).label("errors"),
        cast(func.sum(ApiCallHours.latency_ms), Whole()).label("latency_ms"),
    )
    these = (
        ApiCallHours.holder_id == param("holder", Id()),
        ApiCallHours.key_id == param("key", Id()),
        ApiCallHours.hour >= param("since", UtcDateTime()),
        ApiCallHours.hour < param("until", UtcDateTime()),
    )
    bucket = ApiCallHours.bucket_ms
    no_word, no_step = literal(None, Words()), literal(None, UtcDateTime())
    by_step = (
        select(step.label("step"), no_word.label("method"), no_word.label("endpoint"), bucket, *sums)
        .where(*these)
        .group_by(step, bucket)
    )
    by_endpoint = (
        select(no_step.label("step"), ApiCallHours.method, ApiCallHours.endpoint, bucket, *sums)
        .where(*these)
        .group_by(ApiCallHours.method, ApiCallHours.endpoint, bucket)
    )
    counts = union_all(by_step, by_endpoint).subquery("counts")
    return statement(select(*counts.c).select_from(ApiKeys).outerjoin(counts, true()).where(_mine), Count)


_by_hour, _by_day = _counts(ApiCallHours.hour), _counts(day_of(ApiCallHours.hour))


async def page(db: Unit, holder: UUID, key: UUID, wanted: Wanted) -> list[Call]:
    """A key's calls, newest first. Raises `KeyNotFound`."""
    before, before_id = wanted.before
    given = {**msgspec.structs.asdict(wanted), "before": before, "before_id": before_id}
    return _of_key(await db.rows(_page, holder=holder, key=key, **given), "id")


async def counts(db: Unit, holder: UUID, key: UUID, *, since: datetime, until: datetime, by_day: bool) -> list[Count]:
    """The counts of a key's calls in some hours: by hour or UTC day, and by endpoint. Raises `KeyNotFound`."""
    wanted = _by_day if by_day else _by_hour
    return _of_key(await db.rows(wanted, holder=holder, key=key, since=since, until=until), "bucket_ms")


def _of_key(rows: Sequence[Any], name: str) -> list[Any]:
    if not rows:
        raise KeyNotFound
    # The key alone is a row of nothing.
    return [one for one in rows if getattr(one, name) is not None]
