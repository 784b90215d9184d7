"""What every door shares that signs somebody in or out, be it a page or JSON."""

from fastapi import Request, Response

from tenantry.kernel import Context
from tenantry.web import refuse_cross_site

from . import cookies, known_device
from .actions.admission import Admission, FactorNeeded


def keep_admission(response: Response, request: Request, admission: Admission, *, ctx: Context) -> None:
    """Hand the browser what its proof was worth: a session, or the token of half a sign-in."""
    if isinstance(admission, FactorNeeded):
        cookies.keep_half(response, admission.token, ctx=ctx)
        # Whoever was signed in here before is not the person who is coming.
        cookies.drop_session(response, request, ctx.settings)
        return
    cookies.keep_session(response, admission.token, ctx=ctx)
    cookies.drop_half(response, request, ctx.settings)
    known_device.remember(response, request, admission.user_id, ctx=ctx)


def from_our_pages(request: Request, ctx: Context) -> None:
    """Refuse what another site made a browser send; every door that signs somebody in or out begins with it."""
    refuse_cross_site(request, public_origin=ctx.settings.public_url, allowed_origins=ctx.settings.allowed_origins)
