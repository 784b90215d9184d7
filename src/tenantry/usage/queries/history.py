"""What was counted in windows gone by and the current one: for charts, lists and files."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import select

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime, Whole
from tenantry.kernel.sql import any_of

from ..models import UsageCounters
from ..spans import DAYS_MAX, Span

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


class PastWindow(msgspec.Struct, frozen=True):
    """One window that was used. `limit` is what stood beside the count when it last changed; None: there was none."""

    meter: str
    window_start: datetime
    window_end: datetime
    used: int
    limit: int | None

    @property
    def last_moment(self) -> datetime:
        """The end, as a moment that still lies in the window: of March the 31st."""
        return self.window_end - timedelta(microseconds=1)

    @property
    def share(self) -> float | None:
        """How much of the limit was used, 1 for all of it."""
        return self.used / self.limit if self.limit else None


_used = UsageCounters.used + UsageCounters.overrun
_history = statement(
    select(
        UsageCounters.meter,
        UsageCounters.window_start,
        UsageCounters.window_end,
        _used.label("used"),
        UsageCounters.quota.label("limit"),
    )
    .where(
        UsageCounters.holder_id == param("holder"),
        any_of(UsageCounters.meter, "meters"),
        UsageCounters.window_start > param("after", UtcDateTime()),
        UsageCounters.window_start < param("until", UtcDateTime()),
        UsageCounters.window_end > param("since", UtcDateTime()),
        # A window that was only asked about has an empty row.
        _used > 0,
    )
    .order_by(UsageCounters.meter, UsageCounters.window_start)
    .limit(param("limit", Whole())),
    PastWindow,
)


async def history(db: Unit, holder_id: UUID, meters: Sequence[str], span: Span) -> list[PastWindow]:
    """The used windows of the meters that reach into the span, by meter and then oldest first, in one statement."""
    return await _read(db, holder_id, meters, span, after=None, limit=DAYS_MAX * max(1, len(meters)))


async def history_page(
    db: Unit, holder_id: UUID, meter: str, span: Span, *, after: datetime | None, limit: int
) -> list[PastWindow]:
    """One meter's used windows that reach into the span and began after a moment, oldest first, `limit` at most."""
    return await _read(db, holder_id, [meter], span, after=after, limit=limit)


async def _read(
    db: Unit, holder_id: UUID, meters: Sequence[str], span: Span, *, after: datetime | None, limit: int
) -> list[PastWindow]:
    return await db.rows(
        _history,
        holder=holder_id,
        meters=list(meters),
        since=span.since,
        until=span.until,
        after=after or _BEFORE_ALL,
        limit=limit,
    )
