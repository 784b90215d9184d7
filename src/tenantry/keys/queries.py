"""All SQL about keys themselves. That about the calls made with them is in `calls/`."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, func, insert, or_, select, update

from tenantry.holders.models import Holders, held_columns, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Id, Whole
from tenantry.kernel.sql import folded, now, plus

from .models import ApiKeys
from .rows import ApiKey


class Changed(NamedTuple):
    """A key that has another status now."""

    key_id: UUID
    holder_id: UUID


class Bearer(msgspec.Struct, frozen=True):
    """A key that was shown, its holder, and the person behind it: all that decides whether it works."""

    key_id: UUID
    status: str
    expires_at: datetime | None
    scopes: list[str]
    tier: str | None
    holder_id: UUID
    kind: str
    plan: str
    plan_until: datetime | None
    revision: int
    period_start: datetime | None
    period_end: datetime | None
    ends_at: datetime | None
    suspended_at: datetime | None
    owner_id: UUID | None
    deleted_at: datetime | None
    banned_at: datetime | None
    ban_ends_at: datetime | None
    at: datetime


_COLUMNS = (
    ApiKeys.id, ApiKeys.holder_id, ApiKeys.made_by, ApiKeys.label, ApiKeys.prefix, ApiKeys.ending, ApiKeys.scopes,
    ApiKeys.tier, ApiKeys.status, ApiKeys.expires_at, ApiKeys.revoked_at, ApiKeys.last_used_at, ApiKeys.successor_id,
    ApiKeys.__table__.c.created_at, now().label("at"),
)  # fmt: skip
_of_holder = ApiKeys.holder_id == param("holder")
_this = and_(_of_holder, ApiKeys.id == param("key", Id()))
_is_not_over = and_(ApiKeys.status != "revoked", or_(ApiKeys.expires_at.is_(None), ApiKeys.expires_at > now()))

_bearer = statement(
    select(
        ApiKeys.id.label("key_id"), ApiKeys.status, ApiKeys.expires_at, ApiKeys.scopes, ApiKeys.tier, ApiKeys.holder_id,
        Holders.kind, plan_now().label("plan"), Holders.plan_until, Holders.revision, Holders.period_start,
        Holders.period_end, Holders.ends_at, Holders.suspended_at, Holders.owner_id, Users.deleted_at, Users.banned_at,
        Users.ban_ends_at, now().label("at"),
    )
    .join(Holders, Holders.id == ApiKeys.holder_id)
    .outerjoin(Users, Users.id == Holders.owner_id)
    .where(ApiKeys.hash == param("hash", Bytes())),
    Bearer,
)  # fmt: skip

_holder_of_address = statement(
    select(*held_columns())
    .join(Users, Users.id == Holders.owner_id)
    .where(Holders.kind == "user", Users.deleted_at.is_(None), folded(Users.email) == folded(param("email"))),
    Holder,
)  # fmt: skip

_makers = statement(
    select(Users.id, func.coalesce(Users.name, Users.email)).where(
        Users.id.in_(select(ApiKeys.made_by).where(_of_holder)), Users.deleted_at.is_(None)
    ),
    lambda maker, name: (maker, name),
)
_one = statement(select(*_COLUMNS).where(_this), ApiKey)
_lock = statement(select(*_COLUMNS).where(_this).with_for_update(), ApiKey)
_page = statement(
    select(*_COLUMNS)
    .where(_of_holder, ApiKeys.id < param("before", Id()))
    .order_by(ApiKeys.id.desc())
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole())),
    ApiKey,
)
# One that was rotated takes no place: its successor has it.
_places = statement(
    select(func.count()).select_from(ApiKeys).where(_of_holder, _is_not_over, ApiKeys.successor_id.is_(None))
)

# A person's key waits until the person's address is proven; a workspace's never does.
_waits = and_(Holders.kind == "user", Users.email_verified_at.is_(None))
_status_at_birth = (
    select(case((_waits, "pending_verification"), else_="active"))
    .select_from(Holders)
    .outerjoin(Users, Users.id == Holders.owner_id)
    .where(Holders.id == param("holder_id", Id()))
    .scalar_subquery()
)
_GIVEN = ("id", "holder_id", "made_by", "label", "hash", "prefix", "ending", "scopes", "tier", "expires_at")
_add = statement(
    insert(ApiKeys).values(**{name: param(name) for name in _GIVEN}, status=_status_at_birth).returning(*_COLUMNS),
    ApiKey,
)

# As strong as the lock by which rows are counted: whoever takes both would else wait for another who did.
_lock_running = statement(
    select(Holders.id)
    .where(
        Holders.id == param("holder"),
        or_(Holders.ends_at.is_(None), Holders.ends_at > now()),
        Holders.suspended_at.is_(None),
    )
    .with_for_update(key_share=True)
)
_move = statement(update(ApiKeys).where(_of_holder).values(holder_id=param("new_holder")))

_rename = statement(update(ApiKeys).where(_this).values(label=param("label")))
_revoke = statement(
    update(ApiKeys).where(_this, ApiKeys.status != "revoked").values(status="revoked", revoked_at=now())
)
_grace_ends = plus(now(), param("seconds", Whole()))
_follow = statement(
    update(ApiKeys)
    .where(_this)
    .values(
        successor_id=param("successor", Id()),
        # A key that ends sooner anyway is not kept alive by its rotation.
        expires_at=case((ApiKeys.expires_at < _grace_ends, ApiKeys.expires_at), else_=_grace_ends),
    )
)
_of_owner = select(Holders.id).where(Holders.owner_id == param("owner", Id()))
_activate = statement(
    update(ApiKeys)
    .where(ApiKeys.holder_id.in_(_of_owner), ApiKeys.status == "pending_verification")
    .values(status="active")
    .returning(ApiKeys.id, ApiKeys.holder_id),
    Changed,
)
_revoke_made_by = statement(
    update(ApiKeys)
    .where(ApiKeys.made_by == param("maker"), ApiKeys.status != "revoked")
    .values(status="revoked", revoked_at=now())
    .returning(ApiKeys.id, ApiKeys.holder_id),
    Changed,
)


async def bearer_of(db: Unit, hashed: bytes) -> Bearer | None:
    """Whose key has this hash; None when nobody's."""
    return await db.one_or_none(_bearer, hash=hashed)


async def holder_of_address(db: Unit, email: str) -> Holder | None:
    """The holder of the person with this address; None when nobody has it."""
    return await db.one_or_none(_holder_of_address, email=email)


async def makers(db: Unit, holder: UUID) -> dict[UUID, str]:
    """Who made a holder's keys and is still here: the id, and the name or else the address."""
    return dict(await db.rows(_makers, holder=holder))


async def one(db: Unit, holder: UUID, key: UUID) -> ApiKey | None:
    """A holder's key; None when the holder has none of that id."""
    return await db.one_or_none(_one, holder=holder, key=key)


async def lock(db: Unit, holder: UUID, key: UUID) -> ApiKey | None:
    """The same, and nobody else changes it before this unit ends."""
    return await db.one_or_none(_lock, holder=holder, key=key)


async def page(db: Unit, holder: UUID, *, before: UUID | None, limit: int, offset: int = 0) -> list[ApiKey]:
    """A holder's keys, newest first, those that are over too; `before` is the id of the last one of the page before."""
    return await db.rows(_page, holder=holder, before=before or UUID(int=2**128 - 1), limit=limit, offset=offset)


async def places(db: Unit, holder: UUID) -> int:
    """How many keys count against the holder's limit: neither revoked nor expired nor rotated."""
    found: int = await db.one(_places, holder=holder)
    return found


async def add(db: Unit, **given: object) -> ApiKey:
    """Write a key; `given` are all columns but those that the database fills in."""
    return await db.one(_add, **given)


async def lock_running(db: Unit, holder: UUID) -> bool:
    """Keep a holder from being ended before this unit does; False when it is ended or suspended."""
    return await db.one_or_none(_lock_running, holder=holder) is not None


async def move(db: Unit, holder: UUID, new_holder: UUID) -> int:
    """Give all keys of a holder to another, those that are over too; their calls go along. Answers how many."""
    return await db.run(_move, holder=holder, new_holder=new_holder)


async def rename(db: Unit, holder: UUID, key: UUID, label: str) -> bool:
    """Give a key another label; False when the holder has no such key."""
    return await db.run(_rename, holder=holder, key=key, label=label) == 1


async def revoke(db: Unit, holder: UUID, key: UUID) -> bool:
    """Revoke a key; False when it is revoked already, or the holder has none of that id."""
    return await db.run(_revoke, holder=holder, key=key) == 1


async def follow(db: Unit, holder: UUID, key: UUID, *, successor: UUID, grace: timedelta) -> None:
    """Let another key take a key's place, which works on for so long."""
    await db.run(_follow, holder=holder, key=key, successor=successor, seconds=int(grace.total_seconds()))


async def revoke_made_by(db: Unit, maker: UUID) -> list[Changed]:
    """Revoke every key that a person made, whosever it is; answers which."""
    return await db.rows(_revoke_made_by, maker=maker)


async def activate(db: Unit, owner: UUID) -> list[Changed]:
    """Activate the keys that waited for an owner's address to be proven; answers which."""
    return await db.rows(_activate, owner=owner)
