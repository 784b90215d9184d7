"""Second factors: which ones a user has."""

from uuid import UUID

import msgspec
from sqlalchemy import func, select

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id

from ..models import Passkeys, RecoveryCodes, TotpSecrets


class Factors(msgspec.Struct, frozen=True):
    """How many of each second factor a user has; an authenticator app counts once its first code was right."""

    totp: int
    passkeys: int
    recovery_codes: int

    @property
    def names(self) -> tuple[str, ...]:
        """What may be asked for at sign-in; nothing while there is neither an app nor a passkey."""
        if not self.totp and not self.passkeys:
            return ()
        held = {"totp": self.totp, "passkey": self.passkeys, "recovery_code": self.recovery_codes}
        return tuple(name for name, number in held.items() if number)


_user = param("user", Id())
_factors = statement(
    select(
        select(func.count(TotpSecrets.user_id))
        .where(TotpSecrets.user_id == _user, TotpSecrets.confirmed_at.is_not(None))
        .scalar_subquery()
        .label("totp"),
        select(func.count(Passkeys.id)).where(Passkeys.user_id == _user).scalar_subquery().label("passkeys"),
        select(func.count(RecoveryCodes.id))
        .where(RecoveryCodes.user_id == _user, RecoveryCodes.used_at.is_(None))
        .scalar_subquery()
        .label("recovery_codes"),
    ),
    Factors,
)


async def of_user(db: Unit, user: UUID) -> Factors:
    """The second factors of a user."""
    return await db.one(_factors, user=user)
