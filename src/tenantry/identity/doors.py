"""What every door shares that signs somebody in or out, or sends them a mail, be it a page or JSON."""

from functools import partial

from fastapi import Request, Response

from tenantry.kernel import Context
from tenantry.web import CrossSiteRefused, gettext, refuse_cross_site, safe_return_path

from . import cookies, known_device
from .actions import impersonating, sessions
from .actions.admission import Admission, FactorNeeded
from .actions.mailed import Asking


def keep_admission(response: Response, request: Request, admission: Admission, *, ctx: Context) -> None:
    """Hand the browser what its proof was worth: a session, or the token of half a sign-in."""
    if isinstance(admission, FactorNeeded):
        cookies.keep_half(response, admission.token, ctx=ctx)
        # Whoever was signed in here before is not the person who is coming.
        cookies.drop_session(response, request, ctx.settings)
        return
    cookies.keep_session(response, admission.token, ctx=ctx)
    cookies.drop_aside(response, request, ctx.settings)
    cookies.drop_half(response, request, ctx.settings)
    known_device.remember(response, request, admission.user_id, ctx=ctx)


async def sign_out(response: Response, request: Request, token: str | None, *, ctx: Context) -> None:
    """End the session of a token. An operator who looks through somebody's eyes is signed out themselves too."""
    if await impersonating.end(ctx):
        token = cookies.aside_token(request, ctx)
    await sessions.sign_out(ctx, token)
    cookies.drop_session(response, request, ctx.settings)
    cookies.drop_aside(response, request, ctx.settings)


def asking_of(request: Request, ctx: Context, email: str, return_to: str) -> Asking:
    """Who asks for a mail, with a clean address; of where they want to go, what leads to another site is left out."""
    knows = partial(known_device.knows, request, ctx=ctx)
    return Asking(email, safe_return_path(return_to), gettext(request), knows)


def from_our_pages(request: Request, ctx: Context) -> None:
    """Refuse what another site made a browser send; every door that signs somebody in or out begins with it.

    Also without a cookie: another site must not sign a browser in as somebody else. Apps send neither header and pass.
    """
    settings = ctx.settings
    refuse_cross_site(request, public_origin=settings.public_url, allowed_origins=settings.allowed_origins)
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin in settings.allowed_origins:
        return
    if site is not None and site not in {"same-origin", "none"}:
        raise CrossSiteRefused
    if site is None and origin is not None and origin != settings.public_url:
        raise CrossSiteRefused
