"""Recovery codes: written as a set, used up one by one."""

from uuid import UUID

from sqlalchemy import delete, insert, update

from tenantry.kernel import new_id
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Bytes, Id
from tenantry.kernel.sql import now

from ..models import RecoveryCodes

_of_user = RecoveryCodes.user_id == param("user", Id())
_add = statement(insert(RecoveryCodes).values(id=param("id"), user_id=param("user"), code_hash=param("hash", Bytes())))
# Of two who bring the same code at the same moment, one finds it used.
_use = statement(
    update(RecoveryCodes)
    .where(_of_user, RecoveryCodes.code_hash == param("hash", Bytes()), RecoveryCodes.used_at.is_(None))
    .values(used_at=now())
)
_forget = statement(delete(RecoveryCodes).where(_of_user))


async def add(db: Unit, user: UUID, code_hash: bytes) -> None:
    """Write one code."""
    await db.run(_add, id=new_id(), user=user, hash=code_hash)


async def use(db: Unit, user: UUID, code_hash: bytes) -> bool:
    """Use a code up; False when the user has none like it, or it was used."""
    return await db.run(_use, user=user, hash=code_hash) == 1


async def forget(db: Unit, user: UUID) -> int:
    """Make all of a user's codes worthless; answers how many there were, used ones too."""
    return await db.run(_forget, user=user)
