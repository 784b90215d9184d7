"""The roles of people, and what their membership is worth."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import case, select, update

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime, Words

from ..models import Users, role_now


class Operator(msgspec.Struct, frozen=True):
    """Somebody with the role ADMIN; `role` is BANNED while a ban holds."""

    id: UUID
    email: str
    name: str | None
    role: str
    deleted_at: datetime | None


_this = Users.id == param("user")
_OPERATOR = (Users.id, Users.email, Users.name, role_now().label("role"), Users.deleted_at)
_operators = select(*_OPERATOR).where(Users.role == "ADMIN")
_list = statement(_operators.where(Users.deleted_at.is_(None)).order_by(Users.email), Operator)
# All of them, in one order: of two operators who demote each other the second one sees what the first has done.
_hold = statement(_operators.order_by(Users.id).with_for_update(), Operator)
_one = statement(select(*_OPERATOR).where(_this, Users.deleted_at.is_(None)), Operator)
_set = statement(
    update(Users).where(_this, Users.deleted_at.is_(None)).values(role=param("new_role", Words()), role_until=None)
)
# An ADMIN is none of billing's, whoever has become one since the reader looked.
_is_admin = Users.role == "ADMIN"
_put = statement(
    update(Users)
    .where(_this)
    .values(
        role=case((_is_admin, Users.role), else_=param("new_role", Words())),
        role_until=case((_is_admin, None), else_=param("until", UtcDateTime())),
        membership_status=param("new_status", Words()),
    )
)


async def operators(db: Unit) -> list[Operator]:
    """Who has the role ADMIN, by address."""
    return await db.rows(_list)


async def hold_operators(db: Unit) -> list[Operator]:
    """The same, also those who have left, each held until the unit ends."""
    return await db.rows(_hold)


async def of_user(db: Unit, user: UUID) -> Operator | None:
    """A person with the role in force; None for who is not there, or has left."""
    return await db.one_or_none(_one, user=user)


async def assign(db: Unit, user: UUID, role: str) -> bool:
    """Give a person a role by hand; False when there is no such person."""
    return await db.run(_set, user=user, new_role=role) == 1


async def put_membership(db: Unit, user: UUID, *, role: str, until: datetime | None, status: str) -> None:
    """Write what billing says of a person; an ADMIN stays one."""
    await db.run(_put, user=user, new_role=role, until=until, new_status=status)
