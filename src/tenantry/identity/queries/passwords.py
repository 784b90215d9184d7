"""Passwords: the hash that is compared, set, replaced by a stronger one of the same password, taken away."""

from uuid import UUID

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.sql import folded

from ..models import Passwords, Users


class StoredPassword(msgspec.Struct, frozen=True):
    """Who has an address, and the hash to compare with; None for who has no password."""

    user_id: UUID
    email: str
    hash: str | None


_mine = Passwords.user_id == param("user")
_stored = (
    select(Users.id.label("user_id"), Users.email, Passwords.hash)
    .select_from(Users)
    .outerjoin(Passwords, Passwords.user_id == Users.id)
)
_of_email = statement(_stored.where(folded(Users.email) == folded(param("email"))), StoredPassword)
_of_user = statement(select(Passwords.hash).where(_mine))
_set = statement(
    insert(Passwords)
    .values(user_id=param("user"), hash=param("hash"))
    .on_conflict_do_update(index_elements=["user_id"], set_={"hash": param("hash")})
)
_upgrade = statement(update(Passwords).where(_mine, Passwords.hash == param("old")).values(hash=param("new_hash")))
_remove = statement(delete(Passwords).where(_mine))


async def of_email(db: Unit, email: str) -> StoredPassword | None:
    """Who has this address, without regard to case, with their hash; also a deleted or banned person."""
    return await db.one_or_none(_of_email, email=email)


async def of_user(db: Unit, user: UUID) -> str | None:
    """The hash of a user's password; None when there is none."""
    return await db.one_or_none(_of_user, user=user)


async def put(db: Unit, user: UUID, hashed: str) -> None:
    """Set a user's password, in the place of an older one."""
    await db.run(_set, user=user, hash=hashed)


async def upgrade(db: Unit, user: UUID, *, old: str, new: str) -> None:
    """Store another hash of the same password, unless the password was changed meanwhile."""
    await db.run(_upgrade, user=user, old=old, new_hash=new)


async def remove(db: Unit, user: UUID) -> bool:
    """Take a user's password away; False when there was none."""
    return await db.run(_remove, user=user) == 1
