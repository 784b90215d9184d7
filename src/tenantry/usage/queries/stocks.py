"""All SQL of what holders keep: the levels of gauges, and the locks and limits by which rows are counted."""

from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders, Plans, plan_now
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole, Words

from ..models import UsageGauges
from .counters import limit_of


class Level(msgspec.Struct, frozen=True):
    """How much of something a holder keeps, beside its plan's limit. `limit` None: the plan sets none."""

    plan: str
    limit: int | None
    value: int


class Kept(msgspec.Struct, frozen=True):
    """The level of one gauge, as an export has it."""

    gauge: str
    value: int


_gauge, _by = param("gauge", Words()), param("by", Whole())
_limit = limit_of(_gauge)
_its_limit = (
    select(_limit).join(Holders, plan_now() == Plans.name).where(Holders.id == param("holder", Id())).scalar_subquery()
)

_added = insert(UsageGauges).from_select(
    ["holder_id", "gauge", "value"],
    select(Holders.id, _gauge, _by)
    .join(Plans, Plans.name == plan_now())
    .where(Holders.id == param("holder", Id()), or_(_limit.is_(None), _limit >= _by)),
)
_sum = UsageGauges.value + _added.excluded.value
_raise = statement(
    _added.on_conflict_do_update(
        index_elements=["holder_id", "gauge"],
        set_={"value": _sum},
        where=or_(_its_limit.is_(None), _sum <= _its_limit),
    ).returning(UsageGauges.value)
)

_lower = statement(
    update(UsageGauges)
    .where(UsageGauges.holder_id == param("holder"), UsageGauges.gauge == _gauge, UsageGauges.value + _by >= 0)
    .values(value=UsageGauges.value + _by)
    .returning(UsageGauges.value)
)

_moved = insert(UsageGauges).from_select(
    ["holder_id", "gauge", "value"],
    select(param("new_holder", Id()), UsageGauges.gauge, UsageGauges.value)
    .where(UsageGauges.holder_id == param("holder"))
    .order_by(UsageGauges.gauge),
)
_move = statement(
    _moved.on_conflict_do_update(
        index_elements=["holder_id", "gauge"], set_={"value": UsageGauges.value + _moved.excluded.value}
    )
)
_drop = statement(delete(UsageGauges).where(UsageGauges.holder_id == param("holder")))
_keep = statement(
    select(UsageGauges.gauge)
    .where(UsageGauges.holder_id == param("holder"))
    .order_by(UsageGauges.gauge)
    .with_for_update()
)

_level = statement(
    select(plan_now().label("plan"), _limit.label("limit"), func.coalesce(UsageGauges.value, 0).label("value"))
    .join(Plans, Plans.name == plan_now())
    .outerjoin(UsageGauges, and_(UsageGauges.holder_id == Holders.id, UsageGauges.gauge == _gauge))
    .where(Holders.id == param("holder")),
    Level,
)

_levels = statement(
    select(UsageGauges.gauge, UsageGauges.value)
    .where(UsageGauges.holder_id == param("holder"))
    .order_by(UsageGauges.gauge),
    Kept,
)

# Not FOR UPDATE: whoever writes a row of this holder's elsewhere need not wait, only who counts too.
_lock_holder = statement(
    select(plan_now()).where(Holders.id == param("holder")).with_for_update(key_share=True),
)
_limit_of_rows = statement(select(limit_of(param("count", Words()))).where(Plans.name == param("plan")))


async def raise_level(db: Unit, holder_id: UUID, gauge: str, by: int) -> int | None:
    """Add to a level, made if absent, as far as the plan allows; the new level, or None and nothing has changed."""
    return await db.one_or_none(_raise, holder=holder_id, gauge=gauge, by=by)


async def lower_level(db: Unit, holder_id: UUID, gauge: str, by: int) -> int | None:
    """Add a negative number to a level; None, and nothing has changed, when there is not so much."""
    return await db.one_or_none(_lower, holder=holder_id, gauge=gauge, by=by)


async def move(db: Unit, holder_id: UUID, new_holder_id: UUID) -> None:
    """Add all levels of a holder to another's, whatever the plan allows, and take them from the first."""
    await db.rows(_keep, holder=holder_id)
    await db.run(_move, holder=holder_id, new_holder=new_holder_id)
    await db.run(_drop, holder=holder_id)


async def level(db: Unit, holder_id: UUID, gauge: str) -> Level | None:
    """One level beside its limit; None when there is no such holder, or it is not the reader's."""
    return await db.one_or_none(_level, holder=holder_id, gauge=gauge)


async def levels(db: Unit, holder_id: UUID) -> list[Kept]:
    """Every stored level of a holder, by the names of the gauges."""
    return await db.rows(_levels, holder=holder_id)


async def lock_holder(db: Unit, holder_id: UUID) -> str | None:
    """Keep others who count this holder's rows waiting until the unit ends; answers its plan, None without a holder."""
    return await db.one_or_none(_lock_holder, holder=holder_id)


async def limit_of_rows(db: Unit, plan: str, count: str) -> int | None:
    """How many rows a plan allows; None: as many as one likes, 0: the plan does not name them."""
    limit: int | None = await db.one(_limit_of_rows, plan=plan, count=count)
    return limit
