"""The counters: how holders stand, what they used, and the limits that follow the plan."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, cast, func, literal, select, true, union_all, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders, Plans, plan_now
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Whole, Words
from tenantry.kernel.retention import expired
from tenantry.kernel.sql import any_of, greatest, json_whole, now, window_end, window_start
from tenantry.product import Meter

from ..models import UsageCounters, UsageReservations
from ..rows import OpenWindow, Standing, Window

_meter, _per = param("meter", Words()), param("per", Words())


def limit_of(meter: Any) -> ColumnElement[Any]:
    """A meter's limit on a plan: NULL when the plan says that there is none, 0 when it says nothing about the meter."""
    # `->` answers JSON's null as a value and an absent key as NULL, on both databases.
    return case((Plans.limits.op("->")(meter).is_(None), 0), else_=json_whole(Plans.limits, meter))


def set_aside(holder: Any, meter: Any, start: Any) -> ColumnElement[Any]:
    """How many units of a window held reservations have; they stand in its counter's `leased`."""
    held = select(func.sum(UsageReservations.units)).where(
        UsageReservations.holder_id == holder,
        UsageReservations.meter == meter,
        UsageReservations.window_start == start,
        UsageReservations.status == "held",
    )
    # PostgreSQL adds whole numbers up to a decimal.
    return cast(func.coalesce(held.scalar_subquery(), 0), Whole())


def window_now(per: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """When the window began that is open now, and when it ends, for each of the `Holders` that are selected from."""
    period = Holders.period_start, Holders.period_end
    return window_start(per, now(), *period), window_end(per, now(), *period)


_plan_limit = limit_of(_meter)
_used = UsageCounters.used + UsageCounters.overrun
_start, _end = window_now(_per)

_standing = statement(
    select(
        plan_now().label("plan"),
        _plan_limit.label("plan_limit"),
        func.coalesce(_used, 0).label("used"),
        func.coalesce(UsageCounters.leased, 0).label("leased"),
        _start.label("window_start"),
        _end.label("window_end"),
        func.coalesce(UsageCounters.overrun, 0).label("overrun"),
        set_aside(Holders.id, _meter, _start).label("reserved"),
    )
    .join(Plans, Plans.name == plan_now())
    .outerjoin(
        UsageCounters,
        and_(
            UsageCounters.holder_id == Holders.id,
            UsageCounters.meter == _meter,
            UsageCounters.window_start == _start,
        ),
    )
    .where(Holders.id == param("holder")),
    Standing,
)

_pers = union_all(*(select(literal(per, Words()).label("per")) for per in ("day", "month"))).subquery("pers")
_open_start, _open_end = window_now(_pers.c.per)
_open = statement(
    select(
        _pers.c.per,
        plan_now().label("plan"),
        Plans.limits,
        UsageCounters.meter,
        func.coalesce(_used, 0).label("used"),
        func.coalesce(UsageCounters.leased, 0).label("leased"),
        _open_start.label("window_start"),
        _open_end.label("window_end"),
        func.coalesce(UsageCounters.overrun, 0).label("overrun"),
    )
    .select_from(Holders)
    .join(Plans, Plans.name == plan_now())
    .join(_pers, true())
    .outerjoin(
        UsageCounters,
        and_(
            UsageCounters.holder_id == Holders.id,
            any_of(UsageCounters.meter, "meters"),
            UsageCounters.window_start == _open_start,
        ),
    )
    .where(Holders.id == param("holder")),
    OpenWindow,
)

# A window that was only asked about has an empty row.
_is_used = _used + UsageCounters.leased > 0

_windows = statement(
    select(
        UsageCounters.meter,
        UsageCounters.window_start,
        UsageCounters.window_end,
        UsageCounters.used,
        UsageCounters.quota,
        UsageCounters.overrun,
    )
    .where(UsageCounters.holder_id == param("holder"), _is_used)
    .order_by(UsageCounters.meter, UsageCounters.window_start),
    Window,
)

limit_of_row = (
    select(limit_of(UsageCounters.meter))
    .join(Holders, plan_now() == Plans.name)
    .where(Holders.id == UsageCounters.holder_id)
    .scalar_subquery()
)
_month, _month_end = (
    select(edge).where(Holders.id == UsageCounters.holder_id).scalar_subquery() for edge in window_now("month")
)
_row_start, _row_end = UsageCounters.window_start, UsageCounters.window_end
# One that is not the current window is over; the next begins where it ends, unless a period had begun before it.
_new_end = case(
    (~any_of(UsageCounters.meter, "monthly"), _row_end),
    (_row_start == _month, _month_end),
    (_row_start < _month, _month),
    (_row_start < now(), now()),
    else_=_row_end,
)

# In the order of their keys, as an exchange locks them: so neither waits for the other in a circle.
_open_windows = statement(
    select(UsageCounters.meter)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.window_end > now())
    .order_by(UsageCounters.meter, UsageCounters.window_start)
    .with_for_update()
)

# At most the plan's limit, at least what was counted already: the CHECK holds and nothing more is admitted.
# A quota is 1 or more; a plan that says nothing about the meter admits nothing whatever the row holds.
_move_windows = statement(
    update(UsageCounters)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.window_end > now())
    .values(
        quota=case(
            (limit_of_row.is_(None), None),
            else_=greatest(limit_of_row, UsageCounters.used + UsageCounters.leased, 1),
        ),
        window_end=_new_end,
        holder_revision=param("revision"),
    )
)

EXPIRED = expired(UsageCounters.window_end)

_WINDOW = ("holder_id", "meter", "window_start", "window_end", "quota", "used", "overrun", "holder_revision")
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


async def windows(db: Unit, holder_id: UUID) -> list[Window]:
    """Every stored window of a holder."""
    return await db.rows(_windows, holder=holder_id)


async def record(db: Unit, holder: Holder, window: Window) -> bool:
    """Write a whole window as it was, for imports and demo data; False when there is one already, which then stays."""
    given = {field: getattr(window, field) for field in window.__struct_fields__}
    return await db.run(_record, holder_id=holder.id, holder_revision=holder.revision, **given) == 1


async def move_windows(db: Unit, holder_id: UUID, *, meters: Sequence[Meter], revision: int) -> int:
    """Give the holder's open windows the limits of its plan and the ends of its period, which have just changed."""
    await db.rows(_open_windows, holder=holder_id)
    monthly = [meter.name for meter in meters if meter.per == "month"]
    return await db.run(_move_windows, holder=holder_id, monthly=monthly, revision=revision)


def _standing_of(meter: Meter, window: OpenWindow, counters: dict[tuple[str, str | None], OpenWindow]) -> Standing:
    counter = counters.get((meter.per, meter.name))
    return Standing(
        plan=window.plan,
        plan_limit=window.limits.get(meter.name, 0),
        used=counter.used if counter else 0,
        leased=counter.leased if counter else 0,
        window_start=window.window_start,
        window_end=window.window_end,
        overrun=counter.overrun if counter else 0,
    )
