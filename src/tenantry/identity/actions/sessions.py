"""Sessions end: by their user's wish, or by themselves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor
from tenantry.kernel.crypto import token_hash

from .. import queries
from ..errors import SessionNotFound

_NONE = UUID(int=0)


async def sign_out(ctx: Context, token: str | None) -> None:
    """End the session of a token, in a unit of its own. Nothing happens when there is none."""
    if token is None:
        return
    async with ctx.service() as working:
        ended = await queries.end_by_hash(working.db, token_hash(token))
        if ended is not None:
            person = replace(working, actor=Actor("user", user_id=ended.user_id, session_id=ended.id))
            await audit(person, "session.ended", subject=("session", ended.id))


async def revoke_session(ctx: Context, session: UUID) -> None:
    """End one of the caller's own sessions, the current one included. Raises `SessionNotFound`, also for others'."""
    if not await queries.end_by_id(ctx.db, ctx.user_id, session):
        raise SessionNotFound
    await audit(ctx, "session.revoked", subject=("session", session))


async def revoke_other_sessions(ctx: Context) -> int:
    """End all of the caller's sessions but the one that asks; answers how many there were."""
    ended = await queries.end_others(ctx.db, ctx.user_id, ctx.actor.session_id or _NONE)
    if ended:
        await audit(ctx, "session.others_revoked", subject=("user", ctx.user_id), detail={"sessions": ended})
    return ended


async def forget_expired_sessions(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete sessions that expired longer ago than they are kept, a bounded batch per unit."""
    before = ctx.clock.now() - timedelta(days=ctx.settings.sessions_retention_days)
    deleted = 1
    while deleted:
        async with ctx.service() as working:
            deleted = await queries.forget_sessions(working.db, before=before)
