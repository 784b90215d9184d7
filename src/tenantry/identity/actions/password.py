"""Passwords: signing in with one, setting, changing and removing one's own."""

from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.problems import DatabaseConflict
from tenantry.web import Translator

from .. import letters, queries
from ..errors import CredentialsWrong, PasswordNotFound
from ..hashing import PasswordHashing, refuse_weak
from ..letters import password as mails
from ..limits import count_try, give_tries_back
from ..queries.passwords import StoredPassword
from ..recent import require_recent
from .admission import Admission, Proof, admit, hold_caller, refuse_closed
from .ending import end_sessions
from .mailed import Asking
from .reset import ask_reset
from .sessions import Started, renew_session
from .ways_in import keep_a_way_in, password_way

METHOD = "password"
_LOOKS = 3
_NOBODY = UUID(int=0)


class ProofAsked(msgspec.Struct, frozen=True):
    """The password was right, but nobody ever proved the address: a mail asks for that. `challenge` is its code's."""

    challenge: UUID


async def sign_in_with_password(
    ctx: Context, asking: Asking, password: str, *, old_token: str | None
) -> Admission | ProofAsked:
    """Let in who knows the password of an address; the session of `old_token` ends. `ctx` has no open unit.

    The try is counted first, whether or not there is such an account, and given back when it was right. A hash that is
    weaker than ours is replaced. Raises `ProviderUnknown`, `TooManyAttempts`, `HashingBusy`, `CredentialsWrong`
    whatever was wrong, and only after the right password `UserBanned` and `UserDeleted`.
    """
    password_way(ctx)
    found = await _look_up(ctx, asking.email)
    is_known = asking.knows(found.user_id if found else _NOBODY)
    tried = await count_try(ctx, METHOD, account=asking.email, is_known=is_known and found is not None)
    for _ in range(_LOOKS):
        is_right, better = await ctx.port(PasswordHashing).verify(password, found.hash if found else None)
        if found is None or not is_right:
            raise CredentialsWrong
        admission, is_same = await _admitted(ctx, found, better, old_token)
        if is_same:
            await give_tries_back(ctx, tried)
            return admission or ProofAsked(await ask_reset(ctx, asking))
        # Changed while it was compared: by a sign-in that upgraded the hash, or by its owner. Look again.
        found = await _look_up(ctx, asking.email)
    raise DatabaseConflict(internal="the password changed again and again during a sign-in")


async def set_password(ctx: Context, password: str, words: Translator) -> Started:
    """Set or change the signed-in user's password; answers their session with its new token.

    Every other session ends, and what was mailed before is worth nothing. The owner is told by mail. `ctx` has no open
    unit. Raises `ProviderUnknown`, `ConfirmationNeeded`, `PasswordWeak`, `TooManyAttempts`, `HashingBusy`,
    `UserBanned`, `UserDeleted`.
    """
    way = password_way(ctx)
    require_recent(ctx)
    never = (ctx.actor.email, ctx.actor.name, ctx.product.name)
    refuse_weak(password, length_min=way.length_min, never=never)
    # Not given back: whoever is signed in could keep us hashing, and the owner's mailbox filling.
    await count_try(ctx, "own password", account=str(ctx.user_id))
    hashed = await ctx.port(PasswordHashing).hash(password)
    drawn = {
        change: letters.draw(ctx, mails.changed_letter(ctx, words, change), words) for change in ("set", "changed")
    }
    async with ctx.service() as working:
        user = await hold_caller(working)
        change = "set" if await queries.passwords.of_user(working.db, user.id) is None else "changed"
        await queries.passwords.put(working.db, user.id, hashed)
        await _end_others(working, user.id)
        started = await renew_session(working, proven=False)
        await audit(working, f"password.{change}", subject=("user", user.id))
        await letters.post(working, user.email, drawn[change])
    return started


async def remove_password(ctx: Context, words: Translator) -> None:
    """Take the signed-in user's password away, unless it is their last way in. The owner is told by mail.

    Every other session ends. `ctx` has no open unit. Raises `ConfirmationNeeded`, `PasswordNotFound`, `LastWayIn`,
    `UserBanned`, `UserDeleted`.
    """
    require_recent(ctx)
    drawn = letters.draw(ctx, mails.changed_letter(ctx, words, "removed"), words)
    async with ctx.service() as working:
        user = await hold_caller(working)
        if not await queries.passwords.remove(working.db, user.id):
            raise PasswordNotFound
        await keep_a_way_in(working, user.id)
        await _end_others(working, user.id)
        await audit(working, "password.removed", subject=("user", user.id))
        await letters.post(working, user.email, drawn)


async def has_password(ctx: Context) -> bool:
    """Whether the signed-in user has a password."""
    async with ctx.service(writes=False) as reading:
        return await queries.passwords.of_user(reading.db, ctx.user_id) is not None


async def _look_up(ctx: Context, email: str) -> StoredPassword | None:
    async with ctx.service(writes=False) as reading:
        return await queries.passwords.of_email(reading.db, email)


async def _admitted(
    ctx: Context, found: StoredPassword, better: str | None, old_token: str | None
) -> tuple[Admission | None, bool]:
    """Whether the password that was compared still counts; then what it is worth, None for an unproven address."""
    async with ctx.service() as working:
        user = await refuse_closed(working, found.user_id)
        stored = await queries.passwords.of_user(working.db, user.id)
        if user.email != found.email or stored is None or stored != found.hash:
            return None, False
        if better is not None:
            await queries.passwords.upgrade(working.db, user.id, old=stored, new=better)
        if user.email_verified_at is None:
            # Whoever made this row chose the password, and nobody knows whether the address is theirs.
            return None, True
        return await admit(working, Proof(user.id, METHOD), old_token=old_token), True


async def _end_others(ctx: Context, user: UUID) -> None:
    await end_sessions(ctx, user, kept=ctx.actor.session_id)
    await queries.tokens.forget_of_user(ctx.db, user)
