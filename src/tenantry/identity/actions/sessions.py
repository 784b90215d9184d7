"""Sessions begin at the end of a sign-in, get a new token when a person proves more, and end."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token
from tenantry.kernel.problems import Unauthenticated
from tenantry.kernel.retention import forget

from .. import queries
from ..devices import clipped
from ..errors import ClosedToOperators, SessionNotFound
from .ending import end_presented, end_session, end_sessions


class Started(msgspec.Struct, frozen=True):
    """A new session. The token is shown to its browser and to nobody else; the database keeps its hash."""

    user_id: UUID
    session_id: UUID
    token: str


async def start_session(
    ctx: Context,
    user: UUID,
    *,
    method: str,
    old_token: str | None,
    account_id: UUID | None = None,
) -> Started:
    """Start a session in the open unit on the service login; the one of `old_token` ends (no fixation).

    Only `admit` and the second factor call this: everything else goes through that gate.
    """
    session_id, token = new_id(), new_token("sess")
    acting = replace(ctx, actor=Actor("user", user_id=user, session_id=session_id))
    if old_token is not None:
        await end_presented(ctx, old_token)
    await queries.sessions.add(
        ctx.db,
        id=session_id,
        user_id=user,
        account_id=account_id,
        method=method,
        token_hash=token_hash(token),
        address=ctx.origin.address,
        user_agent=clipped(ctx.origin.user_agent),
        seconds=int(ctx.product.session_lifetime.total_seconds()),
    )
    await audit(acting, "session.started", subject=("session", session_id), detail={"method": method})
    return Started(user, session_id, token)


async def renew_session(ctx: Context, *, proven: bool) -> Started:
    """Give the caller's session a new token; the old one ends. `proven`: they have just shown who they are.

    Only that makes a session recent: a change of password does not, or it could be made for ever on one proof. In the
    open unit on the service login. Raises `Unauthenticated` when the session has ended meanwhile, and
    `ClosedToOperators` in an operator's look through somebody's eyes: nobody proves anything in another's name.
    """
    if ctx.actor.impersonator_id is not None:
        raise ClosedToOperators
    session_id, token = ctx.actor.session_id, new_token("sess")
    if session_id is None or not await queries.sessions.renew(
        ctx.db, ctx.user_id, session_id, token_hash=token_hash(token), proven=proven
    ):
        raise Unauthenticated
    await audit(ctx, "session.renewed", subject=("session", session_id))
    return Started(ctx.user_id, session_id, token)


async def refuse_ended(ctx: Context) -> None:
    """Raise `Unauthenticated` when the caller's session has ended since the request came in.

    In the open unit on the service login, which holds the user (`queries.users.lock`): who ends sessions waits.
    """
    session = ctx.actor.session_id
    if session is None or not await queries.sessions.is_live(ctx.db, ctx.user_id, session):
        raise Unauthenticated


async def sign_out(ctx: Context, token: str | None) -> None:
    """End the session of a token, in a unit of its own. Nothing happens when there is none."""
    if token is None:
        return
    async with ctx.service() as working:
        ended = await end_presented(working, token)
        if ended is not None:
            person = replace(working, actor=Actor("user", user_id=ended.user_id, session_id=ended.id))
            await audit(person, "session.ended", subject=("session", ended.id))


async def revoke_session(ctx: Context, session: UUID) -> None:
    """End one of the caller's own sessions, the current one included, or an operator's look through their eyes.

    In the open unit on the service login. Raises `SessionNotFound`, also for others'.
    """
    if not await end_session(ctx, ctx.user_id, session):
        raise SessionNotFound
    await audit(ctx, "session.revoked", subject=("session", session))


async def revoke_other_sessions(ctx: Context) -> int:
    """The same for all of them but the one that asks; answers how many there were."""
    ended = await end_sessions(ctx, ctx.user_id, kept=ctx.actor.session_id)
    if ended:
        await audit(ctx, "session.others_revoked", subject=("user", ctx.user_id), detail={"sessions": ended})
    return ended


async def revoke_all_sessions(ctx: Context) -> int:
    """The same for all of them, the one that asks included; answers how many there were."""
    ended = await end_sessions(ctx, ctx.user_id)
    await audit(ctx, "session.all_revoked", subject=("user", ctx.user_id), detail={"sessions": ended})
    return ended


async def forget_expired_sessions(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete sessions that expired longer ago than they are kept."""
    kept = timedelta(days=ctx.settings.sessions_retention_days)
    await forget(ctx, queries.sessions.EXPIRED, before=ctx.clock.now() - kept)
