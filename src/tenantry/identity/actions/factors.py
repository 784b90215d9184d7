"""What somebody shows beside, or after, their first proof: a code of an app, a recovery code, a passkey, a password."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from tenantry.kernel import Context
from tenantry.web import Translator

from ..queries.users import KnownUser
from .recovery_codes import draw_use, use_recovery_code
from .totp import use_totp

Use = Callable[[Context, KnownUser], Awaitable[None]]
"""Uses a proof up in the open unit on the service login; raises what is said of a wrong one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A proof that was brought: `kind` is `totp`, `recovery_code`, `passkey`, `password` or `mailed_code`.

    `look` is called after the try was counted and while no unit is open, with the user it must be the proof of: there
    goes what takes long. What it answers is called in the unit that lets the person go on.
    """

    kind: str
    look: Callable[[UUID], Awaitable[Use]]


def app_code(code: str) -> Shown:
    """A code of an authenticator app."""

    async def use(ctx: Context, user: KnownUser) -> None:
        await use_totp(ctx, user.id, code)

    async def look(_user: UUID) -> Use:
        return use

    return Shown("totp", look)


def recovery_code(ctx: Context, code: str, words: Translator) -> Shown:
    """A recovery code; its use is told to the owner."""

    async def look(user: UUID) -> Use:
        told = await draw_use(ctx, user, words)

        async def use(working: Context, user: KnownUser) -> None:
            await use_recovery_code(working, user, code, told)

        return use

    return Shown("recovery_code", look)
