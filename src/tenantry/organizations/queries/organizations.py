"""Organizations: made, renamed, locked, listed, and how many seats of theirs are taken."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import aliased

from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now

from ..models import Invitations, Memberships, Organizations
from ..rows import Organization, OwnOrganization, Person, Seats

_LAST = UUID(int=2**128 - 1)
_COLUMNS = (
    Organizations.id, Organizations.name, Organizations.owner_id, Organizations.__table__.c.created_at,
    Organizations.__table__.c.updated_at,
)  # fmt: skip
_this = Organizations.id == param("organization", Id())

_add = statement(
    insert(Organizations).values(id=param("id"), name=param("name"), owner_id=param("owner")).returning(*_COLUMNS),
    Organization,
)
_by_id = statement(select(*_COLUMNS).where(_this), Organization)
# Only whom it concerns: a stranger who has found an id keeps nobody waiting. What the person may do is read after it.
_belongs = exists().where(Memberships.organization_id == Organizations.id, Memberships.user_id == param("user", Id()))
_lock = statement(select(*_COLUMNS).where(_this, _belongs).with_for_update(key_share=True), Organization)
_lock_any = statement(select(*_COLUMNS).where(_this).with_for_update(key_share=True), Organization)
_lock_all = statement(
    select(*_COLUMNS).where(_belongs).order_by(Organizations.id).with_for_update(key_share=True), Organization
)
_owned = statement(
    select(*_COLUMNS).where(Organizations.owner_id == param("user", Id())).order_by(Organizations.id), Organization
)
_rename = statement(
    update(Organizations).where(_this).values(name=param("new_name")).returning(*_COLUMNS), Organization
)
_hand_over = statement(
    update(Organizations).where(_this).values(owner_id=param("new_owner")).returning(*_COLUMNS), Organization
)
_delete = statement(delete(Organizations).where(_this))

_everyone = aliased(Memberships)
_members = (
    select(func.count())
    .select_from(_everyone)
    .where(_everyone.organization_id == Organizations.id)
    .correlate(Organizations)
    .scalar_subquery()
)


def _own(*conditions: Any) -> Any:
    return (
        select(
            *_COLUMNS,
            Memberships.role,
            _members.label("members"),
            plan_now().label("plan"),
            Memberships.__table__.c.created_at.label("joined_at"),
        )
        .select_from(Memberships)
        .join(Organizations, Organizations.id == Memberships.organization_id)
        .outerjoin(Holders, Holders.organization_id == Organizations.id)
        .where(Memberships.user_id == param("user", Id()), *conditions)
    )


_of_user = statement(
    _own(Memberships.organization_id < param("before", Id()))
    .order_by(Memberships.organization_id.desc())
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole())),
    OwnOrganization,
)
_one_of_user = statement(_own(Memberships.organization_id == param("organization", Id())), OwnOrganization)

_invited = (
    select(func.count())
    .select_from(Invitations)
    .where(
        Invitations.organization_id == Organizations.id,
        Invitations.status == "pending",
        Invitations.expires_at > now(),
    )
    .correlate(Organizations)
    .scalar_subquery()
)


_counted = select(_members.label("members"), _invited.label("invited"), plan_now().label("plan")).where(_this)
# Whose plan counts: the organization's, where organizations are billed, else its owner's own.
_SEATS = {
    is_billed: statement(_counted.select_from(Organizations).outerjoin(Holders, whose), Seats)
    for is_billed, whose in (
        (True, Holders.organization_id == Organizations.id),
        (False, Holders.user_id == Organizations.owner_id),
    )
}

_has_none = ~exists().where(Holders.organization_id == Organizations.id)
_without_holder = statement(
    select(Organizations.id).where(_has_none).order_by(Organizations.id).limit(param("limit", Whole()))
)
_count_without_holder = statement(select(func.count()).select_from(Organizations).where(_has_none))

_PERSON = (Users.id, Users.name, Users.email, Users.email_verified_at.is_not(None).label("proven"))
_person = statement(select(*_PERSON).where(Users.id == param("user")), Person)
# Whoever joins waits here for whoever else joins as the same person, or closes that account.
_lock_person = statement(
    select(*_PERSON).where(Users.id == param("user"), Users.deleted_at.is_(None)).with_for_update(key_share=True),
    Person,
)


async def add(db: Unit, organization: UUID, *, name: str, owner: UUID) -> Organization:
    """Write an organization; its owner's membership belongs into the same unit."""
    return await db.one(_add, id=organization, name=name, owner=owner)


async def by_id(db: Unit, organization: UUID) -> Organization | None:
    """An organization; None when it is not the reader's to see."""
    return await db.one_or_none(_by_id, organization=organization)


async def lock(db: Unit, organization: UUID, *, user: UUID | None) -> Organization | None:
    """An organization that this person belongs to, and nobody else changes it before the unit ends.

    What they are there is to be read by a statement after this one: whoever was waited for may have changed it.
    `user` None: whoever belongs to it.
    """
    if user is None:
        return await db.one_or_none(_lock_any, organization=organization)
    return await db.one_or_none(_lock, organization=organization, user=user)


async def lock_all(db: Unit, user: UUID) -> list[Organization]:
    """The same for all organizations of a person, in one order, so that nobody waits in a circle."""
    return await db.rows(_lock_all, user=user)


async def owned(db: Unit, user: UUID) -> list[Organization]:
    """The organizations that a person owns."""
    return await db.rows(_owned, user=user)


async def rename(db: Unit, organization: UUID, name: str) -> Organization:
    """Give a locked organization another name."""
    return await db.one(_rename, organization=organization, new_name=name)


async def hand_over(db: Unit, organization: UUID, owner: UUID) -> Organization:
    """Say of a locked organization who owns it; the memberships must say so too when the unit ends."""
    return await db.one(_hand_over, organization=organization, new_owner=owner)


async def remove(db: Unit, organization: UUID) -> None:
    """Delete an organization with everything it holds."""
    await db.run(_delete, organization=organization)


async def of_user(
    db: Unit, user: UUID, *, before: UUID | None = None, limit: int = 100, offset: int = 0
) -> list[OwnOrganization]:
    """The organizations of a person, newest first; `before` is the id of the last one of the page before."""
    return await db.rows(_of_user, user=user, before=before or _LAST, limit=limit, offset=offset)


async def one_of_user(db: Unit, user: UUID, organization: UUID) -> OwnOrganization | None:
    """One organization of a person's; None when they do not belong to it."""
    return await db.one_or_none(_one_of_user, user=user, organization=organization)


async def seats(db: Unit, organization: UUID, *, is_billed: bool) -> Seats:
    """How many seats are taken, and on which plan. On the service login: an owner's plan is not the others' to see."""
    return await db.one(_SEATS[is_billed], organization=organization)


async def person(db: Unit, user: UUID) -> Person | None:
    """A person by their id."""
    return await db.one_or_none(_person, user=user)


async def lock_person(db: Unit, user: UUID) -> Person | None:
    """A person whose account is open, held until the unit ends: to be locked before any organization."""
    return await db.one_or_none(_lock_person, user=user)


async def without_holder(db: Unit, *, limit: int) -> list[UUID]:
    """Organizations that hold nothing, the oldest first. On the service login."""
    return await db.rows(_without_holder, limit=limit)


async def count_without_holder(db: Unit) -> int:
    """How many there are."""
    found: int = await db.one(_count_without_holder)
    return found
