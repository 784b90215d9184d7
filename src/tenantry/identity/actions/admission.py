"""The one gate that every way of signing in goes through: who is let in, whom we ask for more, who is turned away."""

from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor

from .. import queries, tokens
from ..errors import UserBanned, UserDeleted
from ..events import UserProven
from ..queries.users import KnownUser
from .ending import end_presented, end_sessions
from .sessions import Started, refuse_ended, start_session

STRONG = frozenset({"passkey"})
"""Ways in that are two factors by themselves: the device, and the finger or PIN that opens it."""


class Proof(msgspec.Struct, frozen=True):
    """What a person showed: `method` is `password`, `link`, `passkey` or a provider's name."""

    user_id: UUID
    method: str
    account_id: UUID | None = None


class FactorNeeded(msgspec.Struct, frozen=True):
    """Half a sign-in: no session yet. `token` goes to the browser, and back with a second factor."""

    user_id: UUID
    token: str
    factors: tuple[str, ...]


Admission = Started | FactorNeeded


async def admit(ctx: Context, proof: Proof, *, old_token: str | None) -> Admission:
    """Start a session for a person who proved one thing, or ask for the second factor they have.

    In the open unit on the service login. The session of `old_token` ends with it. Raises `UserDeleted`, `UserBanned`.
    """
    await refuse_closed(ctx, proof.user_id)
    acting = as_user(ctx, proof.user_id)
    factors = (await queries.factors.of_user(ctx.db, proof.user_id)).asked(ctx.product)
    if factors and proof.method not in STRONG:
        if old_token is not None:
            await end_presented(ctx, old_token)
        detail: dict[str, Any] = {"method": proof.method, "account": proof.account_id and str(proof.account_id)}
        issued = await tokens.issue(
            ctx, tokens.Purpose.SECOND_FACTOR, str(proof.user_id), user_id=proof.user_id, detail=detail
        )
        await audit(acting, "sign_in.second_factor_asked", subject=("user", proof.user_id), detail=detail)
        return FactorNeeded(proof.user_id, issued.token, factors)
    return await start_session(
        acting,
        proof.user_id,
        method=proof.method,
        account_id=proof.account_id,
        old_token=old_token,
    )


async def refuse_closed(ctx: Context, user: UUID) -> KnownUser:
    """The user, if they may come in.

    The row is held until the unit ends: a ban or a reset at the same moment waits, and then ends what begins here.
    Raises `UserDeleted` and `UserBanned`; ask only after something was proven.
    """
    found = await queries.users.lock(ctx.db, user)
    if found is None or found.deleted_at is not None:
        raise UserDeleted
    if found.is_banned(ctx.clock.now()):
        raise UserBanned(until=found.ban_ends_at)
    return found


async def hold_caller(ctx: Context) -> KnownUser:
    """Who asks, held until the unit ends, if they may still come in and their session has not ended meanwhile.

    Every change of how somebody signs in begins with it: a reset at the same moment ends what a thief is about to do.
    Raises `UserDeleted`, `UserBanned`, `Unauthenticated`.
    """
    user = await refuse_closed(ctx, ctx.user_id)
    await refuse_ended(ctx)
    return user


async def prove_address(ctx: Context, user: KnownUser) -> None:
    """Note that a user's address is proven. What was on a row that was never proven before is taken off it.

    Whoever registered with an address that is not theirs may have left a password, an account, a session there, to come
    back in once the owner uses it (pre-hijacking). In the open unit on the service login.
    """
    if user.email_verified_at is not None or not await queries.users.prove(ctx.db, user.id):
        return
    await queries.users.disarm(ctx.db, user.id)
    acting = as_user(ctx, user.id)
    ended = await end_sessions(acting, user.id)
    await queries.tokens.forget_of_user(ctx.db, user.id)
    await audit(acting, "user.proven_late", subject=("user", user.id), detail={"sessions": ended})
    was_here = ctx.actor.user_id == user.id and ctx.actor.impersonator_id is None
    await acting.emit(UserProven(user.id, was_here=was_here))


def as_user(ctx: Context, user: UUID) -> Context:
    """The same context and unit, with this user as the actor: for the audit log and for what is announced."""
    return replace(ctx, actor=Actor("user", user_id=user))
