"""Passkeys: written once, used often, named by their owners."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, insert, or_, select, update

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Flag, Id, Json, Whole
from tenantry.kernel.sql import now

from ..models import Passkeys


class Passkey(msgspec.Struct, frozen=True):
    """A passkey, as its owner sees it. `backed_up`: it lives on several devices."""

    id: UUID
    name: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


class HeldPasskey(msgspec.Struct, frozen=True):
    """A passkey, as devices know it."""

    credential_id: bytes
    transports: list[str]


class StoredPasskey(msgspec.Struct, frozen=True):
    """What a proof is checked against."""

    id: UUID
    user_id: UUID
    public_key: bytes
    sign_count: int


_SEEN = (Passkeys.id, Passkeys.name, Passkeys.backed_up, Passkeys.created_at, Passkeys.last_used_at)
_of_owner = Passkeys.user_id == param("user", Id())
_this = (_of_owner, Passkeys.id == param("passkey", Id()))
_of_user = statement(select(*_SEEN).where(_of_owner).order_by(Passkeys.id), Passkey)
_one = statement(select(*_SEEN).where(*_this), Passkey)
_held = statement(
    select(Passkeys.credential_id, Passkeys.transports).where(_of_owner).order_by(Passkeys.id), HeldPasskey
)
_of_credential = statement(
    select(Passkeys.id, Passkeys.user_id, Passkeys.public_key, Passkeys.sign_count).where(
        Passkeys.credential_id == param("credential", Bytes())
    ),
    StoredPasskey,
)
_add = statement(
    insert(Passkeys).values(
        id=param("id"),
        user_id=param("user"),
        name=param("name"),
        credential_id=param("credential", Bytes()),
        public_key=param("key", Bytes()),
        sign_count=param("count", Whole()),
        transports=param("transports", Json()),
        aaguid=param("aaguid"),
        backed_up=param("backed_up", Flag()),
    )
)
_count = param("count", Whole())
# Devices that do not count say 0 for ever; for the others each proof counts further than the last one.
_use = statement(
    update(Passkeys)
    .where(*_this, or_(Passkeys.sign_count < _count, and_(Passkeys.sign_count == 0, _count == 0)))
    .values(sign_count=_count, backed_up=param("is_backed_up", Flag()), last_used_at=now())
)
_rename = statement(update(Passkeys).where(*_this).values(name=param("new_name")))
_remove = statement(delete(Passkeys).where(*_this))


async def of_user(db: Unit, user: UUID) -> list[Passkey]:
    """A user's passkeys, oldest first."""
    return await db.rows(_of_user, user=user)


async def one(db: Unit, user: UUID, passkey: UUID) -> Passkey | None:
    """One of a user's passkeys."""
    return await db.one_or_none(_one, user=user, passkey=passkey)


async def held(db: Unit, user: UUID) -> list[HeldPasskey]:
    """A user's passkeys as devices know them, oldest first."""
    return await db.rows(_held, user=user)


async def of_credential(db: Unit, credential_id: bytes) -> StoredPasskey | None:
    """The passkey of a credential's id, whoever's it is."""
    return await db.one_or_none(_of_credential, credential=credential_id)


async def add(db: Unit, user: UUID, passkey: UUID, **given: object) -> None:
    """Write a passkey: `name`, `credential`, `key`, `count`, `transports`, `aaguid`, `backed_up`.

    Raises `UniqueViolation` when somebody has the credential already.
    """
    await db.run(_add, id=passkey, user=user, **given)


async def use(db: Unit, user: UUID, passkey: UUID, *, count: int, backed_up: bool) -> bool:
    """Note a proof; False when the passkey is gone, or its counter is not past the last one's."""
    return await db.run(_use, user=user, passkey=passkey, count=count, is_backed_up=backed_up) == 1


async def rename(db: Unit, user: UUID, passkey: UUID, name: str) -> bool:
    """Call one of a user's passkeys something else; False when the user has none of that id."""
    return await db.run(_rename, user=user, passkey=passkey, new_name=name) == 1


async def remove(db: Unit, user: UUID, passkey: UUID) -> bool:
    """Take one of a user's passkeys away; False when the user has none of that id."""
    return await db.run(_remove, user=user, passkey=passkey) == 1
