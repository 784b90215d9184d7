"""How sessions end: a person's own are deleted, an operator's looks are ended and noted.

A look through somebody's eyes stays in their list, so nothing deletes one before it is forgotten. It ends with its own
session, with all of its person's, and with the operator's session in which it began. All of it in the caller's open
unit on the service login.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Actor
from tenantry.kernel.crypto import token_hash

from .. import queries
from ..queries.impersonations import Impersonation
from ..queries.sessions import EndedSession


async def end_session(ctx: Context, user: UUID, session: UUID) -> bool:
    """End one of a user's sessions; False when they have no live look and no session of their own of that id."""
    looks = await queries.impersonations.end(ctx.db, user, session)
    await note_ended(ctx, looks)
    return await queries.sessions.end_by_id(ctx.db, user, session) or any(one.id == session for one in looks)


async def end_sessions(ctx: Context, user: UUID, *, kept: UUID | None = None) -> int:
    """End all of a user's sessions but `kept`; answers how many there were, the looks through their eyes among them."""
    looks = await queries.impersonations.end_around(ctx.db, user, kept=kept)
    await note_ended(ctx, looks)
    through_theirs = sum(one.user_id == user for one in looks)
    return through_theirs + await queries.sessions.end_own(ctx.db, user, kept=kept)


async def end_presented(ctx: Context, token: str) -> EndedSession | None:
    """End the session of a token; None when it was nobody's own. A look is ended by its operator, who has the token."""
    presented = token_hash(token)
    for look in await queries.impersonations.end_by_hash(ctx.db, presented):
        await note_ended(replace(ctx, actor=Actor("user", user_id=look.impersonator_id)), [look])
    return await queries.sessions.end_by_hash(ctx.db, presented)


async def note_ended(ctx: Context, ended: Sequence[Impersonation]) -> None:
    """Audit that these looks were ended by the actor."""
    for one in ended:
        detail = {"session": str(one.id), "operator": str(one.impersonator_id)}
        await audit(ctx, "impersonation.ended", subject=("user", one.user_id), detail=detail)
