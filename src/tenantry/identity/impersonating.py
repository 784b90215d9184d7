"""Looking through a person's eyes, for the operator's pages: a door beside the room's own."""

from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context

from . import cookies
from .actions.impersonating import LASTING, Begun, begin

__all__ = ["LASTING", "Begun", "begin", "look_through"]


async def look_through(
    request: Request, ctx: Context, user_id: UUID, *, reason: str, may_write: bool = False
) -> Response:
    """Begin, and send the operator's browser to the person's dashboard: their own session is kept aside until the end.

    `ctx` has no open unit. Raises what `begin` raises.
    """
    begun = await begin(ctx, user_id, reason=reason, may_write=may_write)
    response = RedirectResponse("/dashboard", status_code=303)
    if (own := cookies.session_token(request, ctx.settings)) is not None:
        cookies.keep_aside(response, own, ctx=ctx)
    cookies.keep_session(response, begun.token, ctx=ctx)
    return response
