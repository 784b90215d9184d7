"""The secrets that authenticator apps share: sealed, and read by the service login only."""

from uuid import UUID

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Whole
from tenantry.kernel.sql import now

from ..models import TotpSecrets


class StoredTotp(msgspec.Struct, frozen=True):
    """What is kept of a user's app: the sealed secret that counts, and the sealed one that is being set up."""

    secret: str | None
    next_secret: str | None
    last_step: int


_this = TotpSecrets.user_id == param("user", Id())
_of_user = statement(
    select(TotpSecrets.secret, TotpSecrets.next_secret, TotpSecrets.last_step).where(_this), StoredTotp
)
_begin = statement(
    insert(TotpSecrets)
    .values(user_id=param("user"), next_secret=param("sealed"))
    .on_conflict_do_update(index_elements=["user_id"], set_={"next_secret": param("sealed")})
)
_confirm = statement(
    update(TotpSecrets)
    .where(_this, TotpSecrets.next_secret == param("sealed"))
    .values(secret=TotpSecrets.next_secret, next_secret=None, confirmed_at=now(), last_step=param("step", Whole()))
)
# Of two who bring the same code at the same moment, one finds the step used.
_use = statement(
    update(TotpSecrets)
    .where(_this, TotpSecrets.secret == param("sealed"), TotpSecrets.last_step < param("step", Whole()))
    .values(last_step=param("step", Whole()))
)
_remove = statement(delete(TotpSecrets).where(_this))


async def of_user(db: Unit, user: UUID) -> StoredTotp | None:
    """What is kept of a user's app; None when there is nothing."""
    return await db.one_or_none(_of_user, user=user)


async def begin(db: Unit, user: UUID, sealed: str) -> None:
    """Keep a sealed secret that counts only once its first code was right; the one before goes on counting."""
    await db.run(_begin, user=user, sealed=sealed)


async def confirm(db: Unit, user: UUID, sealed: str, *, step: int) -> bool:
    """Let the secret that was begun count from now on; False when it is another one by now."""
    return await db.run(_confirm, user=user, sealed=sealed, step=step) == 1


async def use(db: Unit, user: UUID, sealed: str, *, step: int) -> bool:
    """Use up a time step and every one before it; False when it is used, or the secret is another one by now."""
    return await db.run(_use, user=user, sealed=sealed, step=step) == 1


async def remove(db: Unit, user: UUID) -> bool:
    """Take a user's app away, one that is being set up too; False when there is nothing."""
    return await db.run(_remove, user=user) == 1
