"""Memberships: who belongs to what, as what, and which organization a session works for."""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from tenantry.identity.models import Users, is_banned_now
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import folded, now

from ..models import CurrentOrganizations, Memberships
from ..roles import Role
from ..rows import Member

_FIRST = UUID(int=0)
_of_organization = Memberships.organization_id == param("organization", Id())
_this = and_(_of_organization, Memberships.user_id == param("user", Id()))

_roles = statement(
    select(Memberships.user_id, Memberships.role).where(
        _of_organization, or_(Memberships.user_id == param("one", Id()), Memberships.user_id == param("other", Id()))
    ),
    lambda *pair: pair,
)
_role = statement(select(Memberships.role).where(_this))

_add = statement(
    insert(Memberships)
    .values(organization_id=param("organization"), user_id=param("user"), role=param("role"))
    .on_conflict_do_nothing(index_elements=["organization_id", "user_id"])
    .returning(Memberships.user_id)
)
_set_role = statement(update(Memberships).where(_this).values(role=param("new_role")))
_remove = statement(delete(Memberships).where(_this))
_remove_all = statement(
    delete(Memberships)
    .where(Memberships.user_id == param("user"), Memberships.role != "owner")
    .returning(Memberships.organization_id)
)
_count_of_user = statement(
    select(func.count()).select_from(Memberships).where(Memberships.user_id == param("user", Id()))
)
_others = statement(
    select(func.count()).select_from(Memberships).where(_of_organization, Memberships.user_id != param("user", Id()))
)

_chosen = insert(CurrentOrganizations).values(
    session_id=param("session"), user_id=param("user"), organization_id=param("organization")
)
_choose = statement(
    _chosen.on_conflict_do_update(
        index_elements=["session_id"], set_={"organization_id": _chosen.excluded.organization_id}
    )
)
_note_choice = statement(update(Memberships).where(_this).values(chosen_at=now()))

_PERSON = (Users.name, Users.email, Users.image)
_banned = statement(select(is_banned_now()).where(Users.id == param("user", Id())))


def _listed(*conditions: Any) -> Any:
    joined_at = Memberships.__table__.c.created_at.label("joined_at")
    return (
        select(Memberships.user_id, *_PERSON, Memberships.role, joined_at)
        .join(Users, Users.id == Memberships.user_id)
        .where(_of_organization, *conditions)
    )


# The service login reads it, for nobody else sees other people's names: so it says itself who may.
_viewer = aliased(Memberships)
_is_viewed = exists().where(
    _viewer.organization_id == Memberships.organization_id, _viewer.user_id == param("viewer", Id())
)
_page = statement(
    _listed(_is_viewed, Memberships.user_id > param("after", Id()))
    .order_by(Memberships.user_id)
    .limit(param("limit", Whole()))
    .offset(param("offset", Whole())),
    Member,
)
_of_email = statement(
    select(Memberships.user_id)
    .join(Users, Users.id == Memberships.user_id)
    .where(_of_organization, folded(Users.email) == folded(param("email")))
)


async def roles(db: Unit, organization: UUID, one: UUID, other: UUID | None = None) -> dict[UUID, Role]:
    """What these people are in an organization; who does not belong to it is not among them."""
    return dict(await db.rows(_roles, organization=organization, one=one, other=other or one))


async def role(db: Unit, organization: UUID, user: UUID) -> Role | None:
    """What somebody is in an organization; None for who does not belong to it."""
    found: Role | None = await db.one_or_none(_role, organization=organization, user=user)
    return found


async def add(db: Unit, organization: UUID, user: UUID, role: Role) -> bool:
    """Write a membership; False when there is one."""
    return await db.one_or_none(_add, organization=organization, user=user, role=role) is not None


async def set_role(db: Unit, organization: UUID, user: UUID, role: Role) -> None:
    """Make a member something else, in a locked organization."""
    await db.run(_set_role, organization=organization, user=user, new_role=role)


async def remove(db: Unit, organization: UUID, user: UUID) -> None:
    """Delete a membership; the sessions that worked for it work for another one, or for the person alone."""
    await db.run(_remove, organization=organization, user=user)


async def remove_all(db: Unit, user: UUID) -> list[UUID]:
    """Delete all memberships of a person but those as an owner; answers which organizations they were of."""
    return await db.rows(_remove_all, user=user)


async def count_of_user(db: Unit, user: UUID) -> int:
    """How many organizations a person belongs to."""
    found: int = await db.one(_count_of_user, user=user)
    return found


async def others(db: Unit, organization: UUID, user: UUID) -> int:
    """How many belong to an organization beside this person."""
    found: int = await db.one(_others, organization=organization, user=user)
    return found


async def choose(db: Unit, organization: UUID, user: UUID, *, session: UUID | None) -> None:
    """Let a session work for an organization, and new sessions of its person begin there.

    `session` None: only that. Raises `ForeignKeyViolation` when the person does not belong to it any more.
    """
    if session is not None:
        await db.run(_choose, session=session, user=user, organization=organization)
    await db.run(_note_choice, organization=organization, user=user)


async def page(
    db: Unit, viewer: UUID, organization: UUID, *, after: UUID | None = None, limit: int = 50, offset: int = 0
) -> list[Member]:
    """Who belongs to an organization of the viewer's, in the order of when they signed up here; on the service login.

    `after` is the id of the last one of the page before. Nobody, where the viewer does not belong to it.
    """
    given = {"viewer": viewer, "organization": organization, "after": after or _FIRST}
    return await db.rows(_page, **given, limit=limit, offset=offset)


async def of_email(db: Unit, organization: UUID, email: str) -> UUID | None:
    """The member with this address; None when nobody of the organization has it."""
    found: UUID | None = await db.one_or_none(_of_email, organization=organization, email=email)
    return found


async def is_banned(db: Unit, user: UUID) -> bool:
    """Whether somebody may not come in at present."""
    return bool(await db.one_or_none(_banned, user=user))
