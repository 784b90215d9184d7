"""All SQL of trial workspaces."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now, plus
from tenantry.keys import ApiKey
from tenantry.keys.models import ApiKeys
from tenantry.usage.models import UsageCounters

from .models import TrialWorkspaces
from .rows import Listed, State, Workspace

BATCH = 100
"""Workspaces that are looked for at a time by what runs in the background."""
_LAST = UUID(int=2**128 - 1)


class TrialWindow(msgspec.Struct, frozen=True):
    """What a workspace used of a meter in a window, as an export has it."""

    workspace_id: UUID
    meter: str
    window_start: datetime
    window_end: datetime
    used: int
    overrun: int


_at = now().label("at")
_expires_at = TrialWorkspaces.__table__.c.expires_at
_COLUMNS = [
    _at if name == "at" else TrialWorkspaces.__table__.c[name] for name in Workspace.__struct_fields__
]  # fmt: skip
_HOLDER = (Holders.id, Holders.kind, plan_now().label("plan"), Holders.revision)
_KEY = [_at if name == "at" else ApiKeys.__table__.c[name] for name in ApiKey.__struct_fields__]
_this = TrialWorkspaces.id == param("workspace", Id())
_of_owner = TrialWorkspaces.user_id == param("owner", Id())
_is_active = and_(TrialWorkspaces.status == "active", TrialWorkspaces.expires_at > now())
_is_over = and_(TrialWorkspaces.status == "active", TrialWorkspaces.expires_at <= now())

_STANDS: dict[State | None, Any] = {
    None: true(),
    "active": _is_active,
    "expired": or_(TrialWorkspaces.status == "expired", _is_over),
    "converted": TrialWorkspaces.status == "converted",
    "cancelled": TrialWorkspaces.status == "cancelled",
}


def _listed(*values: Any) -> tuple[Workspace, Holder, ApiKey | None]:
    first, second = len(_COLUMNS), len(_COLUMNS) + len(_HOLDER)
    key = values[second:]
    return Workspace(*values[:first]), Holder(*values[first:second]), ApiKey(*key) if key[0] is not None else None


def _with_keys(these: Select[Any]) -> Any:
    """Workspaces with their holders and keys, a row for each key, in one statement."""
    page = these.subquery("page")
    return statement(
        select(*page.c, *_HOLDER, *_KEY)
        .select_from(page)
        .join(Holders, and_(Holders.owner_id == page.c.user_id, Holders.workspace_id == page.c.id))
        .outerjoin(ApiKeys, and_(ApiKeys.holder_id == Holders.id, ApiKeys.status != "revoked"))
        .order_by(page.c.id.desc(), ApiKeys.id.desc()),
        _listed,
    )


# One statement for each status: a condition that may be left out would keep the index from being used.
_pages = {
    stands: _with_keys(
        select(*_COLUMNS)
        .where(_of_owner, TrialWorkspaces.id < param("before", Id()), condition)
        .order_by(TrialWorkspaces.id.desc())
        .limit(param("limit", Whole()))
        .offset(param("offset", Whole()))
    )
    for stands, condition in _STANDS.items()
}
_one = _with_keys(select(*_COLUMNS).where(_of_owner, _this))

_ADDED = ("id", "user_id", "name", "slug", "tier")
_add = statement(
    insert(TrialWorkspaces)
    .values({name: param(name) for name in _ADDED} | {"expires_at": plus(now(), param("seconds", Whole()))})
    .on_conflict_do_nothing(index_elements=["slug"])
    .returning(*_COLUMNS),
    Workspace,
)
# Who starts another one meanwhile waits here.
_lock_owner = statement(select(Holders.id).where(Holders.user_id == param("owner")).with_for_update(key_share=True))
_active = statement(select(func.count()).select_from(TrialWorkspaces).where(_of_owner, _is_active))
_started = statement(select(func.count()).select_from(TrialWorkspaces).where(_of_owner))

_lock = statement(select(*_COLUMNS).where(_this).with_for_update(), Workspace)
_extend = statement(
    update(TrialWorkspaces)
    .where(_this)
    .values(
        expires_at=plus(_expires_at, param("seconds", Whole())),
        extensions=TrialWorkspaces.extensions + 1,
    )
    .returning(*_COLUMNS),
    Workspace,
)
_STAMPS: dict[str, dict[str, Any]] = {
    "cancelled": {"cancelled_at": now()},
    "converted": {"converted_at": now()},
    # When it was over, not when somebody wrote it down.
    "expired": {"expired_at": TrialWorkspaces.expires_at},
}
_ends = {
    status: statement(
        update(TrialWorkspaces).where(_this).values(status=status, **stamps).returning(*_COLUMNS), Workspace
    )
    for status, stamps in _STAMPS.items()
}

_over = statement(
    select(TrialWorkspaces.id).where(_is_over).order_by(TrialWorkspaces.expires_at).limit(param("limit", Whole()))
)
# Due since `before` its end; a workspace that began later than that is not told what its owner has just read.
_threshold = plus(_expires_at, param("earlier", Whole()))
_is_untold = and_(
    _is_active,
    TrialWorkspaces.expires_at <= plus(now(), param("before", Whole())),
    _threshold <= now(),
    TrialWorkspaces.__table__.c.created_at < _threshold,
    or_(TrialWorkspaces.reminded_at.is_(None), TrialWorkspaces.reminded_at < _threshold),
)
_untold = statement(
    select(*_COLUMNS).where(_is_untold).order_by(TrialWorkspaces.expires_at).limit(param("limit", Whole())), Workspace
)
_remind = statement(
    update(TrialWorkspaces)
    .where(_this, _is_untold, TrialWorkspaces.expires_at == param("end"))
    .values(reminded_at=now())
)

# An address that nobody has confirmed may be a stranger's.
_address = statement(
    select(Users.email).where(
        Users.id == param("owner"), Users.email_verified_at.is_not(None), Users.deleted_at.is_(None)
    )
)
_windows = statement(
    select(
        Holders.workspace_id, UsageCounters.meter, UsageCounters.window_start, UsageCounters.window_end,
        UsageCounters.used, UsageCounters.overrun,
    )
    .join(Holders, Holders.id == UsageCounters.holder_id)
    .where(Holders.owner_id == param("owner"), Holders.kind == "workspace", UsageCounters.used > 0)
    .order_by(Holders.workspace_id, UsageCounters.meter, UsageCounters.window_start),
    TrialWindow,
)  # fmt: skip


async def page(
    db: Unit, owner: UUID, *, status: State | None, before: UUID | None, limit: int, offset: int = 0
) -> list[Listed]:
    """An owner's workspaces with their keys, newest first; `before` is the id of the last one of the page before."""
    return _grouped(await db.rows(_pages[status], owner=owner, before=before or _LAST, limit=limit, offset=offset))


async def one(db: Unit, owner: UUID, workspace: UUID) -> Listed | None:
    """One workspace with its keys; None when the owner has none of that id."""
    return next(iter(_grouped(await db.rows(_one, owner=owner, workspace=workspace))), None)


async def lock_owner(db: Unit, owner: UUID) -> None:
    """Keep others who would start a trial for this person waiting until the unit ends."""
    await db.one(_lock_owner, owner=owner)


async def active(db: Unit, owner: UUID) -> int:
    """How many active workspaces a person has."""
    found: int = await db.one(_active, owner=owner)
    return found


async def started(db: Unit, owner: UUID) -> int:
    """How many workspaces a person has started, those that are over too."""
    found: int = await db.one(_started, owner=owner)
    return found


async def add(db: Unit, workspace: UUID, length: timedelta, **given: object) -> Workspace | None:
    """Write a workspace that lasts so long from now; None when the slug is taken."""
    return await db.one_or_none(_add, id=workspace, seconds=_seconds(length), **given)


async def lock(db: Unit, workspace: UUID) -> Workspace | None:
    """A workspace, anybody's, and nobody else changes it before this unit ends."""
    return await db.one_or_none(_lock, workspace=workspace)


async def extend(db: Unit, workspace: UUID, by: timedelta) -> Workspace:
    """Put the end of a locked workspace off."""
    return await db.one(_extend, workspace=workspace, seconds=_seconds(by))


async def end(db: Unit, workspace: UUID, status: State) -> Workspace:
    """Move a locked workspace to one of its three ends, and stamp it."""
    return await db.one(_ends[status], workspace=workspace)


async def over(db: Unit) -> list[UUID]:
    """Workspaces whose time is over and that still say that they are active, longest over first."""
    return await db.rows(_over, limit=BATCH)


async def untold(db: Unit, before: timedelta) -> list[Workspace]:
    """Active workspaces that end within so long, and whose owner was not told of it; soonest first."""
    return await db.rows(_untold, limit=BATCH, **_until_end(before))


async def remind(db: Unit, workspace: Workspace, before: timedelta) -> bool:
    """Write down that the owner is told of this end; False when that was done, or it ends otherwise by now."""
    return await db.run(_remind, workspace=workspace.id, end=workspace.expires_at, **_until_end(before)) == 1


async def address(db: Unit, owner: UUID) -> str | None:
    """Where an owner is written to; None without an address that is known to be theirs."""
    found: str | None = await db.one_or_none(_address, owner=owner)
    return found


async def windows(db: Unit, owner: UUID) -> list[TrialWindow]:
    """What all workspaces of an owner used."""
    return await db.rows(_windows, owner=owner)


def _grouped(rows: Sequence[tuple[Workspace, Holder, ApiKey | None]]) -> list[Listed]:
    found: dict[UUID, Listed] = {}
    for workspace, holder, key in rows:
        listed = found.setdefault(workspace.id, Listed(workspace, holder, []))
        if key is not None:
            listed.keys.append(key)
    return list(found.values())


def _until_end(before: timedelta) -> dict[str, int]:
    return {"before": _seconds(before), "earlier": -_seconds(before)}


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
