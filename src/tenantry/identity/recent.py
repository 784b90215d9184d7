"""Step-up: dangerous actions ask that the person proved who they are a moment ago, not just some day."""

from datetime import timedelta
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

from tenantry.kernel import Context

from .errors import ConfirmationNeeded

__all__ = ["RECENT", "ConfirmationNeeded", "confirm_first", "is_recent", "require_recent"]

RECENT = timedelta(minutes=10)


def is_recent(ctx: Context) -> bool:
    """Whether the signed-in person signed in, or confirmed, within the last ten minutes."""
    proven = ctx.actor.authenticated_at
    return proven is not None and ctx.clock.now() - proven < RECENT


def require_recent(ctx: Context) -> None:
    """Raise `ConfirmationNeeded` (403) unless it is recent. Apps then ask `POST /v1/auth/confirm`, and come again."""
    if not is_recent(ctx):
        raise ConfirmationNeeded


def confirm_first(request: Request, ctx: Context, *, back: str | None = None) -> RedirectResponse | None:
    """Where a page sends its reader before it shows a dangerous form; None when they may go on at once.

    They come back to the page that asked, or to `back`, the page of a form that was sent too late.
    """
    if is_recent(ctx):
        return None
    return RedirectResponse("/auth/confirm?" + urlencode({"return_to": back or request.url.path}), status_code=303)
