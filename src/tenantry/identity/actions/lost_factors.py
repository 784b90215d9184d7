"""Who lost their second factor and the recovery codes asks the people who run the product; these take it away.

From the command line only: an operator in a browser who could do it, or whoever sits at that browser, would be one
step from every account with a second factor.
"""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import Forbidden
from tenantry.web import Translator

from .. import letters, queries
from ..errors import FactorNotFound, UserNotFound
from ..letters import factors as texts
from ..providers.profiles import clean_email
from ..queries.factors import Factors
from ..rights import ADMINISTER, stated
from .ending import end_sessions
from .ways_in import keep_a_way_in


async def forget_factors(ctx: Context, email: str, *, reason: str) -> Factors:
    """Take all second factors of a person away, and end their sessions and tokens; answers what there was.

    They are told by mail. For commands only: `Forbidden` for every other actor than the system. `ctx` has no open unit.
    Raises `ReasonMissing`, `UserNotFound`, also for who has left, `FactorNotFound` for who has none, and `LastWayIn`
    for whom nothing but a passkey would let in: that one is no second factor, but the first.
    """
    if ctx.actor.kind != "system":
        raise Forbidden(permission=ADMINISTER.name)
    why, words = stated(reason), Translator()
    drawn = letters.draw(ctx, texts.forgotten(ctx, words), words)
    async with ctx.service() as working:
        found = await queries.users.of_email(working.db, clean_email(email) or "")
        if found is None or found.deleted_at is not None or await queries.users.lock(working.db, found.id) is None:
            raise UserNotFound
        factors = await _forgotten(working, found.id)
        await end_sessions(working, found.id)
        await queries.tokens.forget_of_user(working.db, found.id)
        detail = {"totp": factors.totp, "passkeys": factors.passkeys, "recovery_codes": factors.recovery_codes}
        await audit(working, "second_factor.forgotten", subject=("user", found.id), reason=why, detail=detail)
        await letters.post(working, found.email, drawn)
    return factors


async def _forgotten(ctx: Context, user: UUID) -> Factors:
    factors = await queries.factors.of_user(ctx.db, user)
    if not (factors.totp or factors.passkeys or factors.recovery_codes):
        raise FactorNotFound
    await queries.totp.remove(ctx.db, user)
    for passkey in await queries.passkeys.of_user(ctx.db, user):
        await queries.passkeys.remove(ctx.db, user, passkey.id)
    await queries.recovery_codes.forget(ctx.db, user)
    await keep_a_way_in(ctx, user)
    return factors
