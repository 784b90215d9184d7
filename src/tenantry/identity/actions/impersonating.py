"""An operator looks through a person's eyes: a session of its own, with a reason, which ends within the hour.

Its person sees in the list of their sessions that it was, when and why; the audit log has its beginning and its end.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.ids import new_token

from .. import queries
from ..devices import clipped
from ..errors import ImpersonationRefused, UserNotFound
from ..recent import require_recent
from ..rights import ADMINISTER, stated
from .admission import hold_caller
from .ending import note_ended

LASTING = timedelta(minutes=60)
METHOD = "operator"


class Begun(msgspec.Struct, frozen=True):
    """The session has begun. The token is for the operator's browser and for nobody else."""

    user_id: UUID
    session_id: UUID
    token: str
    ends_at: datetime


async def begin(ctx: Context, user_id: UUID, *, reason: str, may_write: bool = False) -> Begun:
    """Let the operator who asks look through a person's eyes, for an hour, and no longer than their own session lasts.

    `ctx` has no open unit. The person reads `reason`. Raises `Forbidden`, `ConfirmationNeeded`, `ReasonMissing`,
    `UserNotFound`, and `ImpersonationRefused` for oneself, another operator, and who is banned.
    """
    ctx.require(ADMINISTER)
    require_recent(ctx)
    why = stated(reason)
    session_id, token = new_id(), new_token("sess")
    async with ctx.service() as working:
        operator = await hold_caller(working)
        if user_id == operator.id or await queries.users.lock(working.db, user_id) is None:
            raise ImpersonationRefused if user_id == operator.id else UserNotFound
        person = await queries.roles.of_user(working.db, user_id)
        if person is None:
            raise UserNotFound
        if person.role in {"ADMIN", "BANNED"}:
            raise ImpersonationRefused
        ends_at = await queries.impersonations.begin(
            working.db,
            id=session_id,
            user_id=user_id,
            method=METHOD,
            token_hash=token_hash(token),
            address=ctx.origin.address,
            user_agent=clipped(ctx.origin.user_agent),
            impersonator_id=operator.id,
            impersonator_session_id=ctx.actor.session_id,
            reason=why,
            may_write=may_write,
            seconds=int(LASTING.total_seconds()),
        )
        detail = {"session": str(session_id), "until": ends_at.isoformat(), "may_write": may_write}
        await audit(working, "impersonation.began", subject=("user", user_id), reason=why, detail=detail)
    return Begun(user_id, session_id, token, ends_at)


async def end(ctx: Context) -> bool:
    """End the session that asks, if it is an operator's look through somebody's eyes; False when it is not.

    `ctx` has no open unit. Whoever is in it is the operator, so they are the actor of the entry.
    """
    session, operator = ctx.actor.session_id, ctx.actor.impersonator_id
    if session is None or operator is None:
        return False
    async with ctx.service() as working:
        acting = replace(working, actor=Actor("user", user_id=operator))
        await note_ended(acting, await queries.impersonations.end(working.db, ctx.user_id, session))
    return True
