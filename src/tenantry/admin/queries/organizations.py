"""Organizations of everybody, who belongs to them and who is asked to. An invitation's token is no part of it."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from tenantry.holders.models import Holders, on_plan, plan_now
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.listing import Listing
from tenantry.kernel.sql import folded, now
from tenantry.organizations.models import Invitations, Memberships, Organizations

SHOWN_MAX = 100


class Listed(msgspec.Struct, frozen=True):
    """An organization with its owner. `holder_id` and `plan`: where the product bills organizations."""

    id: UUID
    name: str
    owner_id: UUID
    owner: str
    members: int
    holder_id: UUID | None
    plan: str | None
    created_at: datetime


class Belonging(msgspec.Struct, frozen=True):
    """A person's organization, and what they are in it."""

    id: UUID
    name: str
    role: str
    since: datetime


class Member(msgspec.Struct, frozen=True):
    """A person in an organization."""

    user_id: UUID
    email: str
    name: str | None
    role: str
    since: datetime


class Invited(msgspec.Struct, frozen=True):
    """Somebody who is asked to join and has not answered."""

    email: str
    role: str
    sent_at: datetime
    expires_at: datetime
    is_over: bool


_members = (
    select(func.count())
    .select_from(Memberships)
    .where(Memberships.organization_id == Organizations.id)
    .scalar_subquery()
)
_selected = (
    select(
        Organizations.id, Organizations.name, Organizations.owner_id, Users.email.label("owner"),
        _members.label("members"), Holders.id.label("holder_id"), plan_now().label("plan"),
        Organizations.__table__.c.created_at,
    )
    .select_from(Organizations)
    .join(Users, Users.id == Organizations.owner_id)
    .outerjoin(Holders, Holders.organization_id == Organizations.id)
)  # fmt: skip
_owners = select(Users.id).where(folded(Users.email) == folded(param("owner"))).scalar_subquery()

ORGANIZATIONS = Listing(
    _selected,
    Listed,
    id=Organizations.id,
    filters={"owner": Organizations.owner_id == _owners, "plan": on_plan(param("plan"))},
)
"""Organizations, newest first, by `owner`, an address, and by `plan`, where organizations are billed."""

_one = statement(_selected.where(Organizations.id == param("organization", Id())), Listed)
_people = statement(
    select(
        Memberships.user_id,
        Users.email,
        Users.name,
        Memberships.role,
        Memberships.__table__.c.created_at.label("since"),
    )
    .join(Users, Users.id == Memberships.user_id)
    .where(Memberships.organization_id == param("organization", Id()))
    .order_by(Memberships.__table__.c.created_at, Memberships.user_id)
    .limit(param("limit", Whole())),
    Member,
)
_invited = statement(
    select(
        Invitations.email,
        Invitations.role,
        Invitations.sent_at,
        Invitations.expires_at,
        (Invitations.expires_at <= now()).label("is_over"),
    )
    .where(Invitations.organization_id == param("organization", Id()), Invitations.status == "pending")
    .order_by(Invitations.id.desc())
    .limit(param("limit", Whole())),
    Invited,
)
_of_user = statement(
    select(
        Organizations.id,
        Organizations.name,
        Memberships.role,
        Memberships.__table__.c.created_at.label("since"),
    )
    .join(Organizations, Organizations.id == Memberships.organization_id)
    .where(Memberships.user_id == param("user", Id()))
    .order_by(Memberships.organization_id)
    .limit(param("limit", Whole())),
    Belonging,
)


async def one(db: Unit, organization: UUID) -> Listed | None:
    """One organization; None when there is none of that id."""
    return await db.one_or_none(_one, organization=organization)


async def members(db: Unit, organization: UUID) -> list[Member]:
    """Who belongs to it, the oldest members first, `SHOWN_MAX` at most."""
    return await db.rows(_people, organization=organization, limit=SHOWN_MAX)


async def invited(db: Unit, organization: UUID) -> list[Invited]:
    """Who is asked to join and has not answered, `SHOWN_MAX` at most."""
    return await db.rows(_invited, organization=organization, limit=SHOWN_MAX)


async def of_user(db: Unit, user: UUID) -> list[Belonging]:
    """The organizations that a person belongs to, `SHOWN_MAX` at most."""
    return await db.rows(_of_user, user=user, limit=SHOWN_MAX)
