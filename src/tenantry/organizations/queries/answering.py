"""Who answers for what a holder has: the person, or the organization's owner and admins."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_, func, select

from tenantry.holders.models import Holders, held_columns
from tenantry.identity.models import Users
from tenantry.kernel.context import Holder
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id
from tenantry.kernel.sql import folded

from ..models import Memberships, Organizations


class OwnedHolder(msgspec.Struct, frozen=True):
    """An organization's holder, the organization's name, and its owner's address."""

    organization_id: UUID
    name: str
    email: str
    holder: Holder


_ANSWERS = and_(Memberships.organization_id == Holders.organization_id, Memberships.role != "member")


def answering(these: Select[Any]) -> Select[Any]:
    """What is selected from `Holders`, with the `Users` that answer for each, and its `Organizations` or NULL.

    Only who can be written to: an address that nobody has confirmed may be a stranger's.
    """
    return (
        these.outerjoin(Organizations, Organizations.id == Holders.organization_id)
        .outerjoin(Memberships, _ANSWERS)
        .join(
            Users,
            and_(
                Users.id == func.coalesce(Holders.user_id, Memberships.user_id),
                Users.email_verified_at.is_not(None),
                Users.deleted_at.is_(None),
            ),
        )
    )


_owned = (
    select(Organizations.id, Organizations.name, Users.email, *held_columns())
    .select_from(Organizations)
    .join(Holders, Holders.organization_id == Organizations.id)
    .join(Users, Users.id == Organizations.owner_id)
)
_one = statement(
    _owned.where(Organizations.id == param("organization", Id())),
    lambda one, name, email, *holder: OwnedHolder(one, name, email, Holder(*holder)),
)
# The one that was made first: ids follow the time.
_first_owned = statement(
    _owned.where(
        folded(Users.email) == folded(param("email")),
        Users.email_verified_at.is_not(None),
        Users.deleted_at.is_(None),
    )
    .order_by(Organizations.id)
    .limit(1),
    lambda one, name, email, *holder: OwnedHolder(one, name, email, Holder(*holder)),
)


async def one(db: Unit, organization: UUID) -> OwnedHolder | None:
    """An organization's holder; None where there is none."""
    return await db.one_or_none(_one, organization=organization)


async def first_owned(db: Unit, email: str) -> OwnedHolder | None:
    """The holder of the first organization of the person with this proven address; None for none."""
    return await db.one_or_none(_first_owned, email=email)
