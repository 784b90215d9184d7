"""The counters: how holders stand, what they used, and the limits that follow the plan."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, select, true, union_all, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders, Plans
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Words
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import any_of, greatest, json_whole, now, window_end, window_start
from tenantry.product import Meter

from ..models import UsageCounters
from ..rows import OpenWindow, PastWindow, Standing, Window

_meter, _per = param("meter", Words()), param("per", Words())


def limit_of(meter: Any) -> ColumnElement[Any]:
    """A meter's limit on a plan: NULL when the plan says that there is none, 0 when it says nothing about the meter."""
    # `->` answers JSON's null as a value and an absent key as NULL, on both databases.
    return case((Plans.limits.op("->")(meter).is_(None), 0), else_=json_whole(Plans.limits, meter))


_plan_limit = limit_of(_meter)

_standing = statement(
    select(
        Holders.plan,
        _plan_limit.label("plan_limit"),
        func.coalesce(UsageCounters.used, 0).label("used"),
        func.coalesce(UsageCounters.leased, 0).label("leased"),
        window_start(_per, now()).label("window_start"),
        window_end(_per, now()).label("window_end"),
    )
    .join(Plans, Plans.name == Holders.plan)
    .outerjoin(
        UsageCounters,
        and_(
            UsageCounters.holder_id == Holders.id,
            UsageCounters.meter == _meter,
            UsageCounters.window_start == window_start(_per, now()),
        ),
    )
    .where(Holders.id == param("holder")),
    Standing,
)

_pers = union_all(*(select(literal(per, Words()).label("per")) for per in ("day", "month"))).subquery("pers")
_open = statement(
    select(
        _pers.c.per,
        Holders.plan,
        Plans.limits,
        UsageCounters.meter,
        func.coalesce(UsageCounters.used, 0).label("used"),
        func.coalesce(UsageCounters.leased, 0).label("leased"),
        window_start(_pers.c.per, now()).label("window_start"),
        window_end(_pers.c.per, now()).label("window_end"),
    )
    .select_from(Holders)
    .join(Plans, Plans.name == Holders.plan)
    .join(_pers, true())
    .outerjoin(
        UsageCounters,
        and_(
            UsageCounters.holder_id == Holders.id,
            any_of(UsageCounters.meter, "meters"),
            UsageCounters.window_start == window_start(_pers.c.per, now()),
        ),
    )
    .where(Holders.id == param("holder")),
    OpenWindow,
)

# A window that was only asked about has an empty row.
_is_used = UsageCounters.used + UsageCounters.leased > 0

_history = statement(
    select(UsageCounters.window_start, UsageCounters.used, UsageCounters.quota)
    .where(
        UsageCounters.holder_id == param("holder"),
        UsageCounters.meter == _meter,
        UsageCounters.window_start >= param("since"),
        _is_used,
    )
    .order_by(UsageCounters.window_start),
    PastWindow,
)

_windows = statement(
    select(
        UsageCounters.meter,
        UsageCounters.window_start,
        UsageCounters.window_end,
        UsageCounters.used,
        UsageCounters.quota,
    )
    .where(UsageCounters.holder_id == param("holder"), _is_used)
    .order_by(UsageCounters.meter, UsageCounters.window_start),
    Window,
)

_new_limit = select(limit_of(UsageCounters.meter)).where(Plans.name == param("plan")).scalar_subquery()

# In the order of their keys, as an exchange locks them: so neither waits for the other in a circle.
_open_windows = statement(
    select(UsageCounters.meter)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.window_end > now())
    .order_by(UsageCounters.meter, UsageCounters.window_start)
    .with_for_update()
)

# At most the plan's limit, at least what was counted already: the CHECK holds and nothing more is admitted.
# A quota is 1 or more; a plan that says nothing about the meter admits nothing whatever the row holds.
_move_limits = statement(
    update(UsageCounters)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.window_end > now())
    .values(
        quota=case(
            (_new_limit.is_(None), None),
            else_=greatest(_new_limit, UsageCounters.used + UsageCounters.leased, 1),
        ),
        holder_revision=param("revision"),
    )
)

EXPIRED = expired(UsageCounters.window_end)

_WINDOW = ("holder_id", "meter", "window_start", "window_end", "quota", "used", "holder_revision")
_record = statement(
    insert(UsageCounters)
    .values({name: param(name) for name in _WINDOW})
    .on_conflict_do_nothing(index_elements=["holder_id", "meter", "window_start"])
)


async def standing(db: Unit, holder_id: UUID, meter: str, *, per: str) -> Standing | None:
    """The current window; None when there is no such holder, or it is not the reader's."""
    return await db.one_or_none(_standing, holder=holder_id, meter=meter, per=per)


async def standings(db: Unit, holder_id: UUID, meters: Sequence[Meter]) -> dict[Meter, Standing]:
    """The current windows of several meters, in one statement; empty when `standing` would be None."""
    rows = await db.rows(_open, holder=holder_id, meters=[meter.name for meter in meters])
    windows = {row.per: row for row in rows}
    counters = {(row.per, row.meter): row for row in rows}
    return {meter: _standing_of(meter, windows[meter.per], counters) for meter in meters if windows}


async def history(db: Unit, holder_id: UUID, meter: str, *, since: datetime) -> list[PastWindow]:
    """The windows that began at `since` or later, oldest first; windows without a call have no row."""
    return await db.rows(_history, holder=holder_id, meter=meter, since=since)


async def windows(db: Unit, holder_id: UUID) -> list[Window]:
    """Every stored window of a holder."""
    return await db.rows(_windows, holder=holder_id)


async def record(db: Unit, holder: Holder, window: Window) -> bool:
    """Write a whole window as it was, for imports and demo data; False when there is one already, which then stays."""
    given = {field: getattr(window, field) for field in window.__struct_fields__}
    return await db.run(_record, holder_id=holder.id, holder_revision=holder.revision, **given) == 1


async def move_limits(db: Unit, holder_id: UUID, *, plan: str, revision: int) -> int:
    """Give the holder's open windows the limits of another plan."""
    await db.rows(_open_windows, holder=holder_id)
    return await db.run(_move_limits, holder=holder_id, plan=plan, revision=revision)


def _standing_of(meter: Meter, window: OpenWindow, counters: dict[tuple[str, str | None], OpenWindow]) -> Standing:
    counter = counters.get((meter.per, meter.name))
    return Standing(
        plan=window.plan,
        plan_limit=window.limits.get(meter.name, 0),
        used=counter.used if counter else 0,
        leased=counter.leased if counter else 0,
        window_start=window.window_start,
        window_end=window.window_end,
    )
