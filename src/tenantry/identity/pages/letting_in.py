"""Sending a browser on whose person has shown who they are."""

from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context
from tenantry.web import safe_return_path

from ..actions.admission import Admission, FactorNeeded
from ..doors import keep_admission


def let_in(request: Request, ctx: Context, admission: Admission, return_to: str) -> Response:
    """Send a person on: with their session, or to the second factor first."""
    back = safe_return_path(return_to)
    if isinstance(admission, FactorNeeded):
        back = "/auth/second-factor?" + urlencode({"return_to": back})
    response = RedirectResponse(back, status_code=303)
    keep_admission(response, request, admission, ctx=ctx)
    return response
