"""The sections of `/settings` that say what one signs in with, and where one is signed in."""

from typing import Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Service
from tenantry.kernel.module import Panel

from .. import cookies, queries
from ..actions import sessions
from ..actions.linking import ways_to_connect
from ..actions.vouching import label_of
from ..devices import device_of

SESSIONS_SHOWN_MAX = 50

router = APIRouter(include_in_schema=False)


class ShownSession(NamedTuple):
    """A session as people know it: browser and system, or "" where they are not known, and how it began.

    Only an operator's look stays in the list when it is over.
    """

    session: queries.sessions.Session
    browser: str
    system: str
    method: str
    is_current: bool
    is_live: bool


@router.post("/settings/sessions/revoke-others")
async def end_other_sessions(ctx: Service) -> Response:
    """Sign out everywhere else."""
    await sessions.revoke_other_sessions(ctx)
    return _back("sessions")


@router.post("/settings/sessions/revoke-all")
async def end_all_sessions(request: Request, ctx: Service) -> Response:
    """Sign out everywhere, here too."""
    await sessions.revoke_all_sessions(ctx)
    return _out(request, ctx)


@router.post("/settings/sessions/{session_id}/revoke")
async def end_session(request: Request, ctx: Service, session_id: UUID) -> Response:
    """Sign one browser out."""
    await sessions.revoke_session(ctx, session_id)
    return _out(request, ctx) if session_id == ctx.actor.session_id else _back("sessions")


async def _accounts(ctx: Context, _request: Request) -> dict[str, Any]:
    found = await queries.accounts.of_user(ctx.db, ctx.user_id)
    return {
        "accounts": [(one, label_of(ctx, one.provider)) for one in found],
        "offered": ways_to_connect(ctx, found),
    }


async def _sessions(ctx: Context, _request: Request) -> dict[str, Any]:
    found = await queries.sessions.of_user(ctx.db, ctx.user_id, limit=SESSIONS_SHOWN_MAX + 1)
    shown = [
        ShownSession(
            one,
            *device_of(one.user_agent),
            label_of(ctx, one.method),
            one.id == ctx.actor.session_id,
            one.expires_at > ctx.clock.now(),
        )
        for one in found[:SESSIONS_SHOWN_MAX]
    ]
    return {"sessions": shown, "has_more": len(found) > len(shown)}


PANELS = [
    Panel("accounts", "identity/settings/accounts.html", _accounts, order=40, place="settings"),
    Panel("sessions", "identity/settings/sessions.html", _sessions, order=60, place="settings"),
]


def _back(done: str) -> Response:
    return RedirectResponse(f"/settings?done={done}#{done}", status_code=303)


def _out(request: Request, ctx: Context) -> Response:
    response = RedirectResponse("/signin?done=signed-out", status_code=303)
    cookies.drop_session(response, request, ctx.settings)
    return response
