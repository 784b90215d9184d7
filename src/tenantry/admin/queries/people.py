"""Who somebody is: addresses of people by their ids, and the other way round."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import case, func, select

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.sql import any_of, day_of, folded, now, plus

WEEK = timedelta(days=7)


class _Address(msgspec.Struct, frozen=True):
    id: UUID
    email: str


class Registered(msgspec.Struct, frozen=True):
    """How many people registered today (UTC), and in the last seven days."""

    today: int
    week: int


_created_at = Users.__table__.c.created_at
_addresses = statement(select(Users.id, Users.email).where(any_of(Users.id, "ids")), _Address)
_by_email = statement(select(Users.id).where(folded(Users.email) == folded(param("email"))))
_holder_of = statement(
    select(Holders.id).join(Users, Users.id == Holders.user_id).where(folded(Users.email) == folded(param("email")))
)
_registered = statement(
    select(
        func.count(case((_created_at >= day_of(now()), 1))).label("today"),
        func.count().label("week"),
    ).where(_created_at >= plus(now(), -int(WEEK.total_seconds()))),
    Registered,
)


async def addresses(db: Unit, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """The addresses of these people, as far as they are there."""
    wanted = [one for one in set(ids) if one is not None]
    found = await db.rows(_addresses, ids=wanted) if wanted else []
    return {one.id: one.email for one in found}


async def by_email(db: Unit, email: str) -> UUID | None:
    """Whose address this is, without regard to case; None when it is nobody's."""
    return await db.one_or_none(_by_email, email=email)


async def holder_of(db: Unit, email: str) -> UUID | None:
    """The own holder of whoever has this address, without regard to case; None when it is nobody's."""
    return await db.one_or_none(_holder_of, email=email)


async def registered(db: Unit) -> Registered:
    """Who came lately."""
    return await db.one(_registered)
