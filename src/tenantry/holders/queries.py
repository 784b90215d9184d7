"""All SQL of holders and plans."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import cast, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Json, TextList, UtcDateTime, Words
from tenantry.kernel.sql import any_of, entries, member, now

from .events import EndMoved
from .models import Holders, Plans, held_columns


class StoredPlan(msgspec.Struct, frozen=True):
    """A plan as the database knows it."""

    name: str
    is_active: bool
    limits: dict[str, int | None]


class HeldPlan(msgspec.Struct, frozen=True):
    """A stored plan whole, and how many holders are on it."""

    name: str
    display_name: str
    price_minor: int | None
    currency: str
    limits: dict[str, int | None]
    features: list[str]
    is_active: bool
    position: int
    holders: int


_PLAN_COLUMNS = (
    "name", "display_name", "price_minor", "currency", "limits", "features", "is_active", "position",
)  # fmt: skip

_mirror_insert = upsert(Plans).values({name: param(name) for name in _PLAN_COLUMNS})
_mirrored = {name: _mirror_insert.excluded[name] for name in _PLAN_COLUMNS if name != "name"}
_mirror = statement(
    _mirror_insert.on_conflict_do_update(
        index_elements=["name"],
        set_=_mirrored,
        # Every start writes; a row that says it already is not touched.
        where=or_(*(Plans.__table__.c[name].is_distinct_from(value) for name, value in _mirrored.items())),
    )
)

# A plan that left the declaration keeps its holders; they get the default plan's limits until somebody moves them.
_default_limits = param("limits", Json())
_retire = statement(
    update(Plans)
    .where(
        ~any_of(Plans.name, param("known", TextList())),
        or_(Plans.is_active, Plans.limits.is_distinct_from(_default_limits)),
    )
    .values(is_active=False, limits=_default_limits)
)

_plans = statement(select(Plans.name, Plans.is_active, Plans.limits).order_by(Plans.position, Plans.name), StoredPlan)

_count = select(func.count()).select_from(Holders).where(Holders.plan == Plans.name).scalar_subquery()
_held = statement(
    select(*(Plans.__table__.c[name] for name in _PLAN_COLUMNS), _count.label("holders")).order_by(
        Plans.position, Plans.name
    ),
    HeldPlan,
)

_COLUMNS = held_columns()

_create = statement(
    insert(Holders).values({name: param(name) for name in ("id", "kind", "user_id", "owner_id", "plan")})
)
_create_for_workspace = statement(
    insert(Holders)
    .values({name: param(name) for name in ("id", "workspace_id", "owner_id", "plan", "ends_at")})
    .values(kind="workspace", plan_source="trial")
    .returning(*_COLUMNS),
    Holder,
)

_create_for_organization = statement(
    insert(Holders)
    .values({name: param(name) for name in ("id", "organization_id", "plan")})
    .values(kind="organization")
    .returning(*_COLUMNS),
    Holder,
)

_new = entries("holders").rows()
_new_of = member(_new.c.value, "organization_id", Id())
# Of two processes that begin at once one writes each; in order, so that they never wait for each other in a circle.
_create_for_organizations = statement(
    upsert(Holders)
    .from_select(
        ["id", "organization_id", "kind", "plan"],
        select(
            member(_new.c.value, "id", Id()).label("id"),
            _new_of.label("organization_id"),
            cast("organization", Words()).label("kind"),
            param("plan", Words()).label("plan"),
        ).order_by(_new_of),
    )
    .on_conflict_do_nothing()
)

_by_organization = statement(select(*_COLUMNS).where(Holders.organization_id == param("organization")), Holder)
_by_user = statement(select(*_COLUMNS).where(Holders.user_id == param("user")), Holder)
_by_id = statement(select(*_COLUMNS).where(Holders.id == param("holder")), Holder)

_set_plan = statement(
    update(Holders)
    .where(Holders.id == param("holder"))
    .values(
        plan=param("plan"),
        plan_source=param("source"),
        granted_plan=param("granted"),
        plan_until=None,
        plan_after=None,
        revision=Holders.revision + 1,
    )
    .returning(*_COLUMNS),
    Holder,
)

_BILLED = {
    "plan": Words(), "plan_source": Words(), "plan_until": UtcDateTime(), "plan_after": Words(),
    "period_start": UtcDateTime(), "period_end": UtcDateTime(),
}  # fmt: skip
_set_billed = statement(
    update(Holders)
    .where(Holders.id == param("holder"))
    .values({name: param(f"new_{name}", kind) for name, kind in _BILLED.items()} | {"revision": Holders.revision + 1})
    .returning(*_COLUMNS),
    Holder,
)

_move_end = statement(
    update(Holders)
    .where(Holders.workspace_id == param("workspace"))
    .values(ends_at=func.coalesce(param("end", UtcDateTime()), now()))
    .returning(Holders.id.label("holder_id"), Holders.ends_at),
    EndMoved,
)

_set_period = statement(
    update(Holders)
    .where(Holders.id == param("holder"))
    .values(
        period_start=param("start", UtcDateTime()),
        period_end=param("end", UtcDateTime()),
        revision=Holders.revision + 1,
    )
    .returning(*_COLUMNS),
    Holder,
)


async def mirror(db: Unit, plan: dict[str, Any]) -> None:
    """Write one declared plan; `plan` has every column of the table."""
    await db.run(_mirror, **plan)


async def retire(db: Unit, *, known: list[str], limits: dict[str, int | None]) -> int:
    """Take plans the declaration does not know out of the offer; answers how many rows were touched."""
    return await db.run(_retire, known=known, limits=limits)


async def plans(db: Unit) -> list[StoredPlan]:
    """Every stored plan, offered ones and retired ones."""
    return await db.rows(_plans)


async def held(db: Unit) -> list[HeldPlan]:
    """Every stored plan, and how many holders are on it."""
    return await db.rows(_held)


async def create(db: Unit, holder: UUID, *, user_id: UUID, plan: str) -> None:
    """Write the holder of a user."""
    await db.run(_create, id=holder, kind="user", user_id=user_id, owner_id=user_id, plan=plan)


async def create_for_workspace(
    db: Unit, holder: UUID, *, workspace_id: UUID, owner_id: UUID, plan: str, ends_at: datetime
) -> Holder:
    """Write the holder of a workspace."""
    return await db.one(
        _create_for_workspace, id=holder, workspace_id=workspace_id, owner_id=owner_id, plan=plan, ends_at=ends_at
    )


async def create_for_organization(db: Unit, holder: UUID, *, organization_id: UUID, plan: str) -> Holder:
    """Write the holder of an organization."""
    return await db.one(_create_for_organization, id=holder, organization_id=organization_id, plan=plan)


async def create_for_organizations(db: Unit, organizations: Mapping[UUID, UUID], *, plan: str) -> int:
    """Write the holders of organizations that have none, each with its new id; answers how many it were."""
    given = [{"organization_id": str(one), "id": str(holder)} for one, holder in organizations.items()]
    return await db.run(_create_for_organizations, holders=given, plan=plan)


async def by_organization(db: Unit, organization: UUID) -> Holder | None:
    """The holder of an organization."""
    return await db.one_or_none(_by_organization, organization=organization)


async def move_end(db: Unit, workspace: UUID, end: datetime | None) -> EndMoved | None:
    """Let a workspace's holder end at a time, None: now; None when there is no such holder."""
    return await db.one_or_none(_move_end, workspace=workspace, end=end)


async def by_user(db: Unit, user: UUID) -> Holder | None:
    """The user's own holder."""
    return await db.one_or_none(_by_user, user=user)


async def by_id(db: Unit, holder: UUID) -> Holder | None:
    """A holder by its id."""
    return await db.one_or_none(_by_id, holder=holder)


async def set_plan(db: Unit, holder: UUID, *, plan: str, source: str, granted: str | None) -> Holder | None:
    """Put a holder on a plan, its revision one higher; None when there is no such holder."""
    return await db.one_or_none(_set_plan, holder=holder, plan=plan, source=source, granted=granted)


async def set_billed(db: Unit, holder: UUID, **given: object) -> Holder | None:
    """Write plan and period at once, its revision one higher; `given` are the columns of `_BILLED`."""
    return await db.one_or_none(_set_billed, holder=holder, **{f"new_{name}": given[name] for name in _BILLED})


async def set_period(db: Unit, holder: UUID, *, start: datetime | None, end: datetime | None) -> Holder | None:
    """Give a holder a billing period, its revision one higher; None when there is no such holder."""
    return await db.one_or_none(_set_period, holder=holder, start=start, end=end)
