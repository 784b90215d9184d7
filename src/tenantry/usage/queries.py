"""All SQL of usage. Admission is one atomic statement: the plan's limit, the count and the window meet in it."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders, Plans
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime, Whole, Words
from tenantry.kernel.sql import greatest, json_whole, now, window_end, window_start

from .models import UsageCounters


class Count(msgspec.Struct, frozen=True):
    """A window's count after an admitted call. `quota` None: no limit."""

    used: int
    leased: int
    quota: int | None
    window_start: datetime
    window_end: datetime


class Standing(msgspec.Struct, frozen=True):
    """How a holder stands in the current window, whether or not it was used yet."""

    plan: str
    plan_quota: int | None
    used: int
    leased: int
    quota: int | None
    window_start: datetime
    window_end: datetime

    @property
    def limit(self) -> int | None:
        """The limit in force: the plan's, and never below what was counted already. None: no limit.

        Not the window's own `quota`: it is yesterday's after a deployment declared another limit, until the next call.
        """
        return None if self.plan_quota is None else max(self.plan_quota, self.used + self.leased)


class Day(msgspec.Struct, frozen=True):
    """One past window, for charts."""

    window_start: datetime
    used: int
    quota: int | None


class Window(msgspec.Struct, frozen=True):
    """One window, whole: in an export, in an import."""

    meter: str
    window_start: datetime
    window_end: datetime
    used: int
    quota: int | None


_meter, _per, _cost = param("meter", Words()), param("per", Words()), param("cost", Whole())
_plan_quota = json_whole(Plans.limits, _meter)

# The limit is read in the statement that counts, so it is today's whatever the request believed.
_source = (
    select(
        Holders.id,
        _meter.label("meter"),
        window_start(_per, now()).label("window_start"),
        window_end(_per, now()).label("window_end"),
        _plan_quota.label("quota"),
        _cost.label("used"),
        Holders.revision.label("holder_revision"),
    )
    .join(Plans, Plans.name == Holders.plan)
    .where(Holders.id == param("holder"), or_(_plan_quota.is_(None), _plan_quota >= _cost))
)
_insert = insert(UsageCounters).from_select(
    ["holder_id", "meter", "window_start", "window_end", "quota", "used", "holder_revision"], _source
)
_new = _insert.excluded
# A call that waited behind a plan change carries the old limit; the row's higher revision wins over it.
_quota = case((UsageCounters.holder_revision > _new.holder_revision, UsageCounters.quota), else_=_new.quota)

_consume = statement(
    _insert.on_conflict_do_update(
        index_elements=["holder_id", "meter", "window_start"],
        set_={
            "used": UsageCounters.used + _new.used,
            "quota": _quota,
            "holder_revision": greatest(UsageCounters.holder_revision, _new.holder_revision),
        },
        where=or_(_quota.is_(None), UsageCounters.used + UsageCounters.leased + _new.used <= _quota),
    ).returning(
        UsageCounters.used,
        UsageCounters.leased,
        UsageCounters.quota,
        UsageCounters.window_start,
        UsageCounters.window_end,
    ),
    Count,
)

_standing = statement(
    select(
        Holders.plan,
        _plan_quota.label("plan_quota"),
        func.coalesce(UsageCounters.used, 0).label("used"),
        func.coalesce(UsageCounters.leased, 0).label("leased"),
        UsageCounters.quota,
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

_history = statement(
    select(UsageCounters.window_start, UsageCounters.used, UsageCounters.quota)
    .where(
        UsageCounters.holder_id == param("holder"),
        UsageCounters.meter == _meter,
        UsageCounters.window_start >= param("since"),
    )
    .order_by(UsageCounters.window_start),
    Day,
)

_windows = statement(
    select(
        UsageCounters.meter,
        UsageCounters.window_start,
        UsageCounters.window_end,
        UsageCounters.used,
        UsageCounters.quota,
    )
    .where(UsageCounters.holder_id == param("holder"))
    .order_by(UsageCounters.meter, UsageCounters.window_start),
    Window,
)

_limit_of_meter = select(json_whole(Plans.limits, UsageCounters.meter)).where(Plans.name == param("plan"))
_new_limit = _limit_of_meter.scalar_subquery()

# At most the plan's limit, at least what was counted already: the CHECK holds and nothing more is admitted.
_move_limits = statement(
    update(UsageCounters)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.window_end > now())
    .values(
        quota=case(
            (_new_limit.is_(None), None),
            else_=greatest(_new_limit, UsageCounters.used + UsageCounters.leased),
        ),
        holder_revision=param("revision"),
    )
)

_key = tuple_(UsageCounters.holder_id, UsageCounters.meter, UsageCounters.window_start)
_forget = statement(
    delete(UsageCounters).where(
        _key.in_(
            select(UsageCounters.holder_id, UsageCounters.meter, UsageCounters.window_start)
            .where(UsageCounters.window_end < param("before", UtcDateTime()))
            .order_by(UsageCounters.window_end)
            .limit(1000)
        )
    )
)

_WINDOW = ("holder_id", "meter", "window_start", "window_end", "quota", "used", "holder_revision")
_record = statement(
    insert(UsageCounters)
    .values({name: param(name) for name in _WINDOW})
    .on_conflict_do_nothing(index_elements=["holder_id", "meter", "window_start"])
)


async def consume(db: Unit, holder: UUID, meter: str, *, per: str, cost: int) -> Count | None:
    """Count `cost` units if they fit, in one statement; None when they do not, and then nothing changed."""
    return await db.one_or_none(_consume, holder=holder, meter=meter, per=per, cost=cost)


async def standing(db: Unit, holder: UUID, meter: str, *, per: str) -> Standing | None:
    """The current window; None when there is no such holder, or it is not the reader's."""
    return await db.one_or_none(_standing, holder=holder, meter=meter, per=per)


async def history(db: Unit, holder: UUID, meter: str, *, since: datetime) -> list[Day]:
    """The windows that began at `since` or later, oldest first; windows without a call have no row."""
    return await db.rows(_history, holder=holder, meter=meter, since=since)


async def windows(db: Unit, holder: UUID) -> list[Window]:
    """Every stored window of a holder."""
    return await db.rows(_windows, holder=holder)


async def record(db: Unit, holder: Holder, window: Window) -> bool:
    """Write a whole window as it was, for imports and demo data; False when there is one already, which then stays."""
    given = {field: getattr(window, field) for field in window.__struct_fields__}
    return await db.run(_record, holder_id=holder.id, holder_revision=holder.revision, **given) == 1


async def move_limits(db: Unit, holder: UUID, *, plan: str, revision: int) -> int:
    """Give the holder's open windows the limits of another plan."""
    return await db.run(_move_limits, holder=holder, plan=plan, revision=revision)


async def forget(db: Unit, *, before: datetime) -> int:
    """Delete up to 1000 windows that ended before a time."""
    return await db.run(_forget, before=before)
