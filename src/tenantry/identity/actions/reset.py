"""A forgotten password: a mail proves the address, another password is chosen, everything that was open ends."""

from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.web import Translator

from .. import letters, queries, tokens
from ..errors import LinkExpired
from ..hashing import PasswordHashing, refuse_weak
from ..letters import password as mails
from ..limits import count_try, give_tries_back
from ..queries.tokens import Token
from ..queries.users import KnownUser
from ..tokens import Purpose
from .admission import as_user, prove_address, refuse_closed
from .ending import end_sessions
from .mailed import (
    Asking,
    KeyShown,
    Mailing,
    count_shown,
    find_shown,
    look_up,
    origin_of,
    read_mailed,
    refuse_nobodys,
    send_mailing,
    use_up,
)
from .ways_in import password_way


class Done(msgspec.Struct, frozen=True):
    """Whose password was reset, and where they wanted to go when they asked."""

    user_id: UUID
    return_to: str


async def ask_reset(ctx: Context, asking: Asking) -> UUID:
    """Mail a link and a code that let a new password be chosen; answers the code's challenge. `ctx` has no open unit.

    Who has no account, or a closed one, gets no mail; the answer is the same. Raises `ProviderUnknown` (404) where the
    product takes no passwords, and `TooManyAttempts` (429).
    """
    password_way(ctx)
    user = await look_up(ctx, asking)
    is_open = user is not None and user.deleted_at is None and not user.is_banned(ctx.clock.now())
    drawn = tokens.draw(Purpose.RESET)
    letter = mails.reset_letter(
        asking.words,
        ctx.product.name,
        letters.key_of(ctx, drawn),
        origin=letters.origin_in_words(asking.words, origin_of(ctx)),
        is_unproven=user is not None and user.email_verified_at is None,
    )
    detail = {} if is_open else {"nobody": True}
    return await send_mailing(ctx, asking, user, Mailing(Purpose.RESET, drawn, letter, detail, is_open))


async def reset_password(ctx: Context, shown: KeyShown, password: str, words: Translator) -> Done:
    """Give who shows a reset mail the password they choose. Nobody is signed in by it.

    Every session ends and everything that was mailed before is worth nothing; second factors stay. An address that was
    never proven is proven now, and what somebody had left on it is gone. The owner is told by mail. `ctx` has no open
    unit. Raises `LinkExpired`, `CodeWrong`, `TooManyAttempts`, `PasswordWeak` (the mail is good as before),
    `HashingBusy`, `UserBanned`, `UserDeleted`.
    """
    length_min = password_way(ctx).length_min
    refuse_weak(password, length_min=length_min, never=(ctx.product.name,))
    tried = await count_shown(ctx, Purpose.RESET, shown)
    async with ctx.service(writes=False) as reading:
        user = await _whose(reading, await find_shown(reading, Purpose.RESET, shown))
    # Only now is it known that the address is theirs, so only now are they told what it is too close to.
    refuse_weak(password, length_min=length_min, never=(user.email, user.name))
    # A mail that is good as before must not let its reader keep us hashing.
    await count_try(ctx, "reset", account=str(user.id))
    hashed = await ctx.port(PasswordHashing).hash(password)
    drawn = letters.draw(ctx, mails.changed_letter(ctx, words, "reset"), words)
    async with ctx.service() as working:
        token = await use_up(working, Purpose.RESET, shown)
        user = await refuse_closed(working, (await _whose(working, token)).id)
        await prove_address(working, user)
        await queries.passwords.put(working.db, user.id, hashed)
        acting = as_user(working, user.id)
        ended = await end_sessions(acting, user.id)
        await queries.tokens.forget_of_user(working.db, user.id)
        await audit(acting, "password.reset", subject=("user", user.id), detail={"sessions": ended})
        await letters.post(working, user.email, drawn)
    await give_tries_back(ctx, tried)
    return Done(user.id, token.detail["return_to"])


async def read_reset(ctx: Context, token: str) -> str:
    """Whose password a link lets be chosen: the address. Raises `LinkExpired`."""
    found = await read_mailed(ctx, Purpose.RESET, token)
    refuse_nobodys(found)
    return found.identifier


async def _whose(ctx: Context, token: Token) -> KnownUser:
    refuse_nobodys(token)
    owner = await queries.users.of_email(ctx.db, token.identifier)
    if owner is None or owner.id != token.user_id:
        # The user has another address by now.
        raise LinkExpired
    return owner
