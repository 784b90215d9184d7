"""The way back of an operator who looked through somebody's eyes."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Open

from .. import cookies
from ..actions import impersonating
from ..doors import from_our_pages

router = APIRouter(include_in_schema=False)

HOME = "/admin"


@router.post("/auth/impersonation/end")
async def end_impersonation(request: Request, ctx: Open) -> Response:
    """End it, and give the operator their own session back; also where it has ended by itself."""
    # Also without a session: another site must not make a browser change its cookie.
    from_our_pages(request, ctx)
    await impersonating.end(ctx)
    return back_to_operator(request, ctx)


def back_to_operator(request: Request, ctx: Context) -> Response:
    """Put the session that was kept aside back in its place, and go where operators work.

    Whoever is signed in as themselves stays so: what was kept aside counts only beside a session that was an operator's
    look, or beside none.
    """
    response = RedirectResponse(HOME, status_code=303)
    token = cookies.aside_token(request, ctx)
    if ctx.actor.kind != "user" or ctx.actor.impersonator_id is not None:
        if token is None:
            cookies.drop_session(response, request, ctx.settings)
        else:
            cookies.keep_session(response, token, ctx=ctx)
    cookies.drop_aside(response, request, ctx.settings)
    return response
