"""Step-up: who is signed in shows once more that it is them, and may then change how they sign in.

Whoever has a second factor shows that; who has none, their password; and who has neither (people who come through a
provider or by link), a code that is mailed to them. So a session alone, taken from somebody, opens none of it.
"""

from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import Unauthenticated
from tenantry.product import Password
from tenantry.web import Translator

from .. import letters, queries, tokens
from ..errors import CodeWrong, OtherProofNeeded, PasswordWrong
from ..hashing import PasswordHashing
from ..letters import factors as texts
from ..limits import MAILS, Tried, count_try, give_tries_back
from ..queries.users import KnownUser
from .admission import refuse_closed
from .factors import Shown, Use
from .second_factor import CONFIRM, count_factor
from .sessions import Started, renew_session


async def ways_to_confirm(ctx: Context) -> tuple[str, ...]:
    """What the caller may show: second factors, or `password`, or `mailed_code`. `ctx` has no open unit."""
    async with ctx.service(writes=False) as working:
        return await _ways(working)


async def confirm(ctx: Context, shown: Shown, words: Translator) -> Started:
    """Take a proof from the caller: their session gets a new token, and counts as proven now.

    `ctx` has no open unit. The try is counted first; the owner is told of many. Raises `OtherProofNeeded`,
    `TooManyAttempts`, what is said of a wrong proof, `Unauthenticated` when the session has ended meanwhile,
    `UserBanned` and `UserDeleted`.
    """
    if shown.kind not in await ways_to_confirm(ctx):
        raise OtherProofNeeded
    tried = await _count(ctx, shown.kind, words)
    use = await shown.look(ctx.user_id)
    async with ctx.service() as working:
        user = await refuse_closed(working, ctx.user_id)
        if shown.kind not in await _ways(working):
            raise OtherProofNeeded
        await use(working, user)
        started = await renew_session(working, proven=True)
        await audit(working, "session.confirmed", subject=("session", started.session_id), detail={"by": shown.kind})
    await give_tries_back(ctx, tried)
    return started


async def mail_code(ctx: Context, words: Translator) -> None:
    """Mail the caller a code for `mailed_code`; it is good for this session only, and replaces the one before.

    `ctx` has no open unit. Raises `OtherProofNeeded` and `TooManyAttempts`.
    """
    if "mailed_code" not in await ways_to_confirm(ctx):
        raise OtherProofNeeded
    await count_try(ctx, "confirmation mail", account=str(ctx.user_id), bounds=MAILS)
    issued = tokens.draw(tokens.Purpose.CONFIRM)
    drawn = letters.draw(ctx, texts.confirmation_code(ctx, words, issued.code), words)
    async with ctx.service() as working:
        user = await refuse_closed(working, ctx.user_id)
        await tokens.issue(working, tokens.Purpose.CONFIRM, _session(ctx), user_id=user.id, drawn=issued)
        await letters.post(working, user.email, drawn)


async def is_code_mailed(ctx: Context) -> bool:
    """Whether a mailed code is under way for this session. `ctx` has no open unit."""
    return await _challenge(ctx) is not None


def password(ctx: Context, text: str) -> Shown:
    """The caller's password."""

    async def look(user: UUID) -> Use:
        async with ctx.service(writes=False) as working:
            stored = await queries.passwords.of_user(working.db, user)
        is_right, _better = await ctx.port(PasswordHashing).verify(text, stored)
        if not is_right:
            raise PasswordWrong

        async def use(working: Context, user: KnownUser) -> None:
            # Hashing took a while: a password that was changed meanwhile proves nothing.
            if await queries.passwords.of_user(working.db, user.id) != stored:
                raise PasswordWrong

        return use

    return Shown("password", look)


def mailed_code(ctx: Context, code: str) -> Shown:
    """The code of `mail_code`."""

    async def look(_user: UUID) -> Use:
        challenge = await _challenge(ctx)
        if challenge is None:
            raise CodeWrong
        await tokens.count_code_try(ctx, challenge, f"confirm {ctx.user_id}")

        async def use(working: Context, _user: KnownUser) -> None:
            await tokens.use_code(working, tokens.Purpose.CONFIRM, challenge, code)

        return use

    return Shown("mailed_code", look)


async def _ways(ctx: Context) -> tuple[str, ...]:
    if factors := (await queries.factors.of_user(ctx.db, ctx.user_id)).asked(ctx.product):
        return factors
    if ctx.product.way_in(Password) is not None and await queries.passwords.of_user(ctx.db, ctx.user_id):
        return ("password",)
    return ("mailed_code",)


async def _count(ctx: Context, kind: str, words: Translator) -> Tried:
    # The browser holds a session: it does not wait because strangers guessed wrong.
    if kind == "password":
        return await count_try(ctx, "password", account=ctx.actor.email or str(ctx.user_id), is_known=True)
    if kind == "mailed_code":
        return await count_try(ctx, "confirm", account=str(ctx.user_id), is_known=True)
    return await count_factor(ctx, CONFIRM, kind, ctx.user_id, is_known=True, words=words)


def _session(ctx: Context) -> str:
    if ctx.actor.session_id is None:
        raise Unauthenticated
    return str(ctx.actor.session_id)


async def _challenge(ctx: Context) -> UUID | None:
    async with ctx.service(writes=False) as working:
        return await queries.tokens.latest(working.db, tokens.Purpose.CONFIRM.value, _session(ctx))
