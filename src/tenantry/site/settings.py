"""`/settings`: what signed-in people change about themselves, and where they are signed in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.identity import (
    accounts_of,
    change_name,
    person_name,
    revoke_other_sessions,
    revoke_session,
    sessions_of,
)
from tenantry.kernel import Context, Read, Write
from tenantry.kernel.problems import Unauthenticated
from tenantry.web import gettext, page

from . import queries
from .devices import device_of
from .pages import shown_by

SESSIONS_SHOWN_MAX = 50

router = APIRouter()
_shown = shown_by(router)


@_shown("/settings")
async def show_settings(ctx: Read, request: Request, done: str = "") -> HTMLResponse:
    """Show the profile, the connected accounts and the sessions; `done` says what was just changed."""
    return await _settings(ctx, request, done=done)


@router.post("/settings/profile")
async def change_profile(ctx: Write, request: Request, name: Annotated[str, Form()] = "") -> Response:
    """Change the name, as `PATCH /v1/me` does; an empty one removes it."""
    try:
        wanted = person_name(name) if name.strip() else None
    except ValueError as refused:
        return await _settings(ctx, request, name=name, error=gettext(request)(str(refused)))
    await change_name(ctx, wanted)
    return _back("profile")


@router.post("/settings/sessions/revoke-others")
async def end_other_sessions(ctx: Write) -> Response:
    """Sign out everywhere else."""
    await revoke_other_sessions(ctx)
    return _back("sessions")


@router.post("/settings/sessions/{session_id}/revoke")
async def end_session(ctx: Write, session_id: UUID) -> Response:
    """Sign one browser out."""
    await revoke_session(ctx, session_id)
    return _back("sessions")


async def _settings(
    ctx: Context, request: Request, *, done: str = "", name: str | None = None, error: str = ""
) -> HTMLResponse:
    me = await queries.me(ctx.db, ctx.user_id)
    if me is None:
        raise Unauthenticated
    sessions = await sessions_of(ctx.db, ctx.user_id, limit=SESSIONS_SHOWN_MAX)
    return page(
        request,
        "site/settings.html",
        status=422 if error else 200,
        me=me,
        name=(me.name or "") if name is None else name,
        error=error,
        done=done,
        plan=ctx.product.plan(ctx.holder.plan),
        accounts=await accounts_of(ctx.db, ctx.user_id),
        sessions=[(one, device_of(one.user_agent), one.id == ctx.actor.session_id) for one in sessions],
    )


def _back(done: str) -> RedirectResponse:
    return RedirectResponse(f"/settings?done={done}#{done}", status_code=303)
