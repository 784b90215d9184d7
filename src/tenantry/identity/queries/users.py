"""The users: looked up, registered, banned, deleted."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, update

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.sql import folded, now

from ..models import Accounts, Passkeys, Passwords, RecoveryCodes, TotpSecrets, Users


class User(msgspec.Struct, frozen=True):
    """A person, as they may see themselves."""

    id: UUID
    email: str
    email_verified_at: datetime | None
    name: str | None
    image: str | None
    company: str | None
    created_at: datetime
    updated_at: datetime


class KnownUser(msgspec.Struct, frozen=True):
    """Whom somebody says to be, and whether they may come in."""

    id: UUID
    email: str
    name: str | None
    email_verified_at: datetime | None
    banned_at: datetime | None
    ban_ends_at: datetime | None
    deleted_at: datetime | None

    def is_banned(self, now: datetime) -> bool:
        """Whether a ban holds at a time."""
        return self.banned_at is not None and (self.ban_ends_at is None or self.ban_ends_at > now)


_KNOWN = (
    Users.id, Users.email, Users.name, Users.email_verified_at, Users.banned_at, Users.ban_ends_at, Users.deleted_at,
)  # fmt: skip
_this = Users.id == param("user")

_user = statement(
    select(
        Users.id,
        Users.email,
        Users.email_verified_at,
        Users.name,
        Users.image,
        Users.company,
        Users.created_at,
        Users.updated_at,
    ).where(_this, Users.deleted_at.is_(None)),
    User,
)
_known = statement(select(*_KNOWN).where(_this), KnownUser)
_of_email = statement(select(*_KNOWN).where(folded(Users.email) == folded(param("email"))), KnownUser)

# A change of nothing: it makes whoever changes the same person's ways in wait, on both databases.
_lock = statement(update(Users).where(_this).values(id=Users.id).returning(*_KNOWN), KnownUser)

_add = statement(
    insert(Users).values(
        id=param("id"), email=param("email"), name=param("name"), image=param("image"), email_verified_at=now()
    )
)
_rename = statement(update(Users).where(_this).values(name=param("new_name")))
_readdress = statement(update(Users).where(_this).values(email=param("new_email"), email_verified_at=now()))
_prove = statement(update(Users).where(_this, Users.email_verified_at.is_(None)).values(email_verified_at=now()))
_ban = statement(
    update(Users)
    .where(_this)
    .values(banned_at=now(), ban_ends_at=param("ends", UtcDateTime()), ban_reason=param("why"))
)
_lift_ban = statement(
    update(Users).where(_this, Users.banned_at.is_not(None)).values(banned_at=None, ban_ends_at=None, ban_reason=None)
)
_delete = statement(update(Users).where(_this, Users.deleted_at.is_(None)).values(deleted_at=now()))

_WAYS_IN = (Accounts, Passwords, Passkeys, TotpSecrets, RecoveryCodes)
_disarm = [statement(delete(table).where(table.user_id == param("user"))) for table in _WAYS_IN]


async def by_id(db: Unit, user: UUID) -> User | None:
    """The user, unless deleted or not the reader's to see."""
    return await db.one_or_none(_user, user=user)


async def known(db: Unit, user: UUID) -> KnownUser | None:
    """The user of an id, also a deleted or banned one."""
    return await db.one_or_none(_known, user=user)


async def of_email(db: Unit, email: str) -> KnownUser | None:
    """Who has this address, without regard to case; also a deleted or banned one."""
    return await db.one_or_none(_of_email, email=email)


async def lock(db: Unit, user: UUID) -> KnownUser | None:
    """The user, held until the unit ends: whoever changes the same person's ways in waits here."""
    return await db.one_or_none(_lock, user=user)


async def add(db: Unit, user: UUID, *, email: str, name: str | None, image: str | None) -> None:
    """Write a new user whose address is verified. Raises `UniqueViolation` when somebody has it already."""
    await db.run(_add, id=user, email=email, name=name, image=image)


async def rename(db: Unit, user: UUID, name: str | None) -> None:
    """Give a user another name, or none."""
    await db.run(_rename, user=user, new_name=name)


async def readdress(db: Unit, user: UUID, email: str) -> None:
    """Give a user another, proven address. Raises `UniqueViolation` when somebody has it already."""
    await db.run(_readdress, user=user, new_email=email)


async def prove(db: Unit, user: UUID) -> bool:
    """The address is proven now; False when it was before."""
    return await db.run(_prove, user=user) == 1


async def disarm(db: Unit, user: UUID) -> None:
    """Take every way in away from a user: accounts, password, passkeys, second factors."""
    for statement_of_one in _disarm:
        await db.run(statement_of_one, user=user)


async def ban(db: Unit, user: UUID, *, ends: datetime | None, why: str) -> bool:
    """Ban a user until a time, or until it is lifted; False when there is no such user."""
    return await db.run(_ban, user=user, ends=ends, why=why) == 1


async def lift_ban(db: Unit, user: UUID) -> bool:
    """End a ban; False when there was none."""
    return await db.run(_lift_ban, user=user) == 1


async def mark_deleted(db: Unit, user: UUID) -> bool:
    """The user is gone for everybody from now on; False when gone already. The row stays until it is erased."""
    return await db.run(_delete, user=user) == 1
