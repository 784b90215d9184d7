"""A forgotten password: a mail proves the address, another password is chosen, everything that was open ends."""

from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.product import Password
from tenantry.web import Translator

from .. import letters, queries, tokens
from ..errors import CodeWrong, LinkExpired, ProviderUnknown
from ..hashing import PasswordHashing, refuse_weak
from ..letters import password as mails
from ..queries.tokens import Token
from ..tokens import Purpose
from .admission import as_user, prove_address, refuse_closed
from .mailed import Asking, Mailing, Shown, count_shown, look_up, origin_of, refuse_nobodys, send_mailing, use_up


class Done(msgspec.Struct, frozen=True):
    """Whose password was reset, and where they wanted to go when they asked."""

    user_id: UUID
    return_to: str


async def ask_reset(ctx: Context, asking: Asking) -> UUID:
    """Mail a link and a code that let a new password be chosen; answers the code's challenge. `ctx` has no open unit.

    Who has no account, or a closed one, gets no mail; the answer is the same. Raises `ProviderUnknown` (404) where the
    product takes no passwords, and `TooManyAttempts` (429).
    """
    _way(ctx)
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


async def reset_password(ctx: Context, shown: Shown, password: str, words: Translator) -> Done:
    """Give who shows a reset mail the password they choose. Nobody is signed in by it.

    Every session ends and everything that was mailed before is worth nothing; second factors stay. An address that was
    never proven is proven now, and what somebody had left on it is gone. The owner is told by mail. `ctx` has no open
    unit. Raises `LinkExpired`, `CodeWrong`, `TooManyAttempts`, `PasswordWeak` (the mail is good as before),
    `HashingBusy`, `UserBanned`, `UserDeleted`.
    """
    length_min = _way(ctx).length_min
    refuse_weak(password, length_min=length_min, never=(ctx.product.name,))
    identifier = await count_shown(ctx, Purpose.RESET, shown)
    if shown.challenge is not None and identifier is None:
        raise CodeWrong
    if shown.token:
        await _read(ctx, shown.token)
    hashed = await ctx.port(PasswordHashing).hash(password)
    drawn = letters.draw(ctx, mails.changed_letter(ctx, words, "reset"), words)
    async with ctx.service() as working:
        token = await use_up(working, Purpose.RESET, shown)
        user_id = await _whose(working, token)
        user = await refuse_closed(working, user_id)
        # Only now is it known that the address is theirs, so only now are they told what it is too close to.
        refuse_weak(password, length_min=length_min, never=(user.email, user.name))
        await prove_address(working, user)
        await queries.passwords.put(working.db, user.id, hashed)
        ended = await queries.sessions.end_all(working.db, user.id)
        await queries.tokens.forget_of_user(working.db, user.id)
        await audit(as_user(working, user.id), "password.reset", subject=("user", user.id), detail={"sessions": ended})
        await letters.post(working, user.email, drawn)
    if identifier is not None:
        await tokens.give_code_try_back(ctx, identifier)
    return Done(user.id, token.detail["return_to"])


async def read_reset(ctx: Context, token: str) -> str:
    """Whose password a link lets be chosen: the address. Raises `LinkExpired`."""
    return (await _read(ctx, token)).identifier


async def _read(ctx: Context, token: str) -> Token:
    async with ctx.service(writes=False) as reading:
        found = await tokens.find(reading, Purpose.RESET, token)
    refuse_nobodys(found)
    return found


async def _whose(ctx: Context, token: Token) -> UUID:
    refuse_nobodys(token)
    owner = await queries.users.of_email(ctx.db, token.identifier)
    if owner is None or owner.id != token.user_id:
        # The user has another address by now.
        raise LinkExpired
    return owner.id


def _way(ctx: Context) -> Password:
    found = ctx.product.way_in(Password)
    if found is None:
        raise ProviderUnknown
    return found
