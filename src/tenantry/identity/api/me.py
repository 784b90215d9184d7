"""`/v1/me/sessions`: where somebody is signed in."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from tenantry.kernel import Context, Read, Service, problems
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused

from .. import cookies, queries
from ..actions import sessions
from ..errors import SessionNotFound

router = APIRouter(prefix="/v1/me", tags=["identity"])


class SignedInSession(BaseModel):
    """One browser that is signed in; `current` is the one that asks.

    `operator_reason`: why an operator looked through the person's eyes in it, null for the person's own. Such a one
    stays in the list for a while after its end.
    """

    id: UUID
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime | None
    method: str
    operator_reason: str | None
    current: bool

    @classmethod
    def of(cls, session: queries.sessions.Session, current: UUID | None) -> Self:
        return cls(
            id=session.id,
            address=session.address,
            user_agent=session.user_agent,
            created_at=session.created_at,
            expires_at=session.expires_at,
            last_seen_at=session.last_seen_at,
            method=session.method,
            operator_reason=session.reason,
            current=session.id == current,
        )


class SignedInSessions(BaseModel):
    """Live sessions, and when an operator looked in, newest first."""

    items: list[SignedInSession]
    next_cursor: UUID | None


@router.get("/sessions", responses=problems(Invalid, Unauthenticated))
async def list_sessions(
    ctx: Read, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: UUID | None = None
) -> SignedInSessions:
    """List the browsers the user is signed in with."""
    found = await queries.sessions.of_user(ctx.db, ctx.user_id, before=cursor, limit=limit + 1)
    shown = found[:limit]
    return SignedInSessions(
        items=[SignedInSession.of(one, ctx.actor.session_id) for one in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    responses=problems(CrossSiteRefused, Invalid, SessionNotFound, Unauthenticated),
)
async def revoke_session(session_id: UUID, request: Request, ctx: Service) -> Response:
    """End one of the user's sessions, also the current one."""
    await sessions.revoke_session(ctx, session_id)
    return _ended(request, ctx, is_own=session_id == ctx.actor.session_id)


@router.delete("/sessions", status_code=204, responses=problems(CrossSiteRefused, Invalid, Unauthenticated))
async def revoke_sessions(
    request: Request,
    ctx: Service,
    *,
    current: Annotated[bool, Query(description="Also the session that asks.")] = False,
) -> Response:
    """End all of the user's sessions but the current one, or with `current=true` all of them."""
    await (sessions.revoke_all_sessions(ctx) if current else sessions.revoke_other_sessions(ctx))
    return _ended(request, ctx, is_own=current)


def _ended(request: Request, ctx: Context, *, is_own: bool) -> Response:
    response = Response(status_code=204)
    if is_own:
        cookies.drop_session(response, request, ctx.settings)
    return response
