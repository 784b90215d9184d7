"""Recovery codes: ten that stand in for a lost second factor, each once. Shown when they are made, never again."""

import secrets
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.web import Translator

from .. import letters, queries
from ..errors import CodeWrong, FactorsMissing
from ..letters import Drawn
from ..letters import factors as texts
from ..queries.users import KnownUser
from ..recent import require_recent
from ..tokens import Purpose
from .admission import as_user, hold_caller
from .sessions import refuse_ended

CODES = 10
CODE_CHARACTERS = 10
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without 0, 1, i, l and o: what one reads from paper is what was written there. 49 bits a code."""
_GROUP = 5


async def replace_codes(ctx: Context, words: Translator) -> list[str]:
    """Make a new set of codes for the caller; the old ones are worthless. The owner is told by mail.

    `ctx` has no open unit. Raises `ConfirmationNeeded`, and `FactorsMissing` for who has no second factor.
    """
    require_recent(ctx)
    drawn = letters.draw(ctx, texts.codes_replaced(ctx, words), words)
    async with ctx.service() as working:
        user = await hold_caller(working)
        await refuse_ended(working)
        if not (await queries.factors.of_user(working.db, user.id)).asked(ctx.product):
            raise FactorsMissing
        codes = await write_codes(working, user.id)
        await letters.post(working, user.email, drawn)
    return codes


async def write_codes(ctx: Context, user: UUID) -> list[str]:
    """Write ten codes in place of those a user had, in the open unit on the service login; answers them in clear."""
    await queries.recovery_codes.forget(ctx.db, user)
    codes: list[str] = []
    while len(codes) < CODES:
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARACTERS))
        if code not in codes:
            codes.append(code)
            await queries.recovery_codes.add(ctx.db, user, _fingerprints(ctx, user, code)[0])
    await audit(ctx, "recovery_codes.made", subject=("user", user), detail={"codes": CODES})
    return ["-".join((code[:_GROUP], code[_GROUP:])) for code in codes]


async def forget_useless_codes(ctx: Context, user: UUID) -> None:
    """Forget the codes of a user without any other second factor: they stand in for nothing.

    Halves of sign-ins that wait for one go with them. Whoever takes a second factor away calls it, in the same unit on
    the service login.
    """
    factors = await queries.factors.of_user(ctx.db, user)
    if not factors.totp and not factors.passkeys:
        await queries.recovery_codes.forget(ctx.db, user)
        await queries.tokens.forget_of_user(ctx.db, user, Purpose.SECOND_FACTOR.value)


async def draw_use(ctx: Context, user: UUID, words: Translator) -> Drawn:
    """The mail that tells an owner of the use of a code, drawn before the unit that uses it. `ctx` has none open."""
    async with ctx.service(writes=False) as reading:
        held = (await queries.factors.of_user(reading.db, user)).recovery_codes
    return letters.draw(ctx, texts.code_used(ctx, words, max(held - 1, 0)), words)


async def use_recovery_code(ctx: Context, user: KnownUser, code: str, told: Drawn) -> None:
    """Use a code up in the open unit on the service login, and tell the owner; the try is counted before.

    Raises `CodeWrong`.
    """
    typed = "".join(letter for letter in code.casefold() if letter in ALPHABET)
    used = [await queries.recovery_codes.use(ctx.db, user.id, one) for one in _fingerprints(ctx, user.id, typed)]
    if not any(used):
        raise CodeWrong
    await audit(as_user(ctx, user.id), "recovery_codes.used", subject=("user", user.id))
    await letters.post(ctx, user.email, told)


def _fingerprints(ctx: Context, user: UUID, code: str) -> list[bytes]:
    # With the user's id: the same code of two people leaves two prints.
    return ctx.runtime.vault.fingerprints(f"{user} {code}", purpose="recovery-code")
