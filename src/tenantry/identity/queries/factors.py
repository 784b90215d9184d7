"""Second factors: which ones a user has, and which of them are asked for."""

from uuid import UUID

import msgspec
from sqlalchemy import func, select

from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id
from tenantry.product import Passkey, Product

from ..models import Passkeys, RecoveryCodes, TotpSecrets


class Factors(msgspec.Struct, frozen=True):
    """How many of each second factor a user has; an authenticator app counts once its first code was right."""

    totp: int
    passkeys: int
    recovery_codes: int

    def asked(self, product: Product) -> tuple[str, ...]:
        """What may be shown at sign-in; nothing while there is neither an app nor a passkey.

        Passkeys are asked for while the product offers them: without their pages nobody could show one.
        """
        passkeys = self.passkeys if product.way_in(Passkey) is not None else 0
        if not self.totp and not passkeys:
            return ()
        held = {"totp": self.totp, "passkey": passkeys, "recovery_code": self.recovery_codes}
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
